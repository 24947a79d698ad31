// What the page takes from CodeMirror: loaded when the editor opens. Becomes www/vendor/editor.js.
export { basicSetup } from "codemirror";
export { Compartment, EditorState } from "@codemirror/state";
export { EditorView, keymap } from "@codemirror/view";
export { indentWithTab } from "@codemirror/commands";
export { HighlightStyle, indentUnit, syntaxHighlighting } from "@codemirror/language";
export { lintGutter, setDiagnostics } from "@codemirror/lint";
export { tags } from "@lezer/highlight";
export { yaml } from "@codemirror/lang-yaml";
