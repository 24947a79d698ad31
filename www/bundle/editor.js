// What the page takes from CodeMirror: loaded when the editor opens. Becomes www/vendor/editor.js.
export { basicSetup, minimalSetup } from "codemirror";
export { Compartment, EditorState, StateEffect, StateField } from "@codemirror/state";
export { Decoration, EditorView, keymap, placeholder } from "@codemirror/view";
export { defaultKeymap, indentWithTab, redo, undo } from "@codemirror/commands";
export { HighlightStyle, indentUnit, syntaxHighlighting } from "@codemirror/language";
export { lintGutter, setDiagnostics } from "@codemirror/lint";
export { tags } from "@lezer/highlight";
export { yaml } from "@codemirror/lang-yaml";
