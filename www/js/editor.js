// The YAML pane's glue. CodeMirror is loaded when the pane first opens.
let view;
let cm;
let language;
let opening;
/** Holds what screen readers call the editor. */
let naming;

function look() {
  const { EditorView, HighlightStyle, tags, syntaxHighlighting } = cm;
  return [
    EditorView.theme({
      "&": { height: "100%", fontSize: innerWidth > 2800 ? "18px" : innerWidth > 2100 ? "15px" : "13px", backgroundColor: "transparent", color: "var(--ink)" },
      ".cm-scroller": { fontFamily: "var(--mono)", lineHeight: "1.5" },
      ".cm-gutters": { backgroundColor: "transparent", color: "var(--muted)", border: "none" },
      ".cm-activeLine, .cm-activeLineGutter": { backgroundColor: "var(--hover)" },
      ".cm-cursor": { borderLeftColor: "var(--ink)" },
      "&.cm-focused": { outline: "none" },
      ".cm-selectionBackground, &.cm-focused > .cm-scroller > .cm-selectionLayer .cm-selectionBackground": {
        backgroundColor: "var(--select)",
      },
      ".cm-tooltip": { backgroundColor: "var(--card)", color: "var(--ink)", border: "1px solid var(--line)" },
    }),
    syntaxHighlighting(
      HighlightStyle.define([
        { tag: [tags.propertyName, tags.definition(tags.propertyName)], color: "var(--syn-key)", fontWeight: "600" },
        { tag: [tags.string, tags.content], color: "var(--syn-text)" },
        { tag: [tags.number, tags.bool, tags.null, tags.keyword], color: "var(--syn-number)" },
        { tag: tags.comment, color: "var(--muted)", fontStyle: "italic" },
        { tag: [tags.meta, tags.separator, tags.punctuation], color: "var(--muted)" },
      ]),
    ),
  ];
}

window.kubetabEditor = {
  /** Opens the editor in `element` with `text`; loads CodeMirror first. `onChange` gets the text, `onApply` and
   * `onSave` nothing. Resolves when it stands. */
  async open(element, text, onChange, onApply, onSave) {
    opening ??= import("../vendor/editor.js");
    cm = await opening;
    if (view) {
      element.replaceChildren(view.dom);
      return;
    }
    naming = new cm.Compartment();
    const { EditorView, EditorState, keymap, basicSetup, indentUnit, indentWithTab, lintGutter, yaml } = cm;
    const key = (combo, f) => ({ key: combo, preventDefault: true, run: () => (f(), true) });
    view = new EditorView({
      parent: element,
      state: EditorState.create({
        doc: text,
        extensions: [
          keymap.of([key("Mod-Enter", onApply), key("Mod-s", onSave), indentWithTab]),
          basicSetup,
          indentUnit.of("  "),
          yaml(),
          lintGutter(),
          look(),
          EditorView.contentAttributes.of({ spellcheck: "false" }),
          naming.of([]),
          EditorView.updateListener.of((update) => {
            if (update.docChanged) onChange(update.state.doc.toString());
          }),
        ],
      }),
    });
  },
  /** What screen readers call the editor. */
  name(label) {
    const attributes = cm?.EditorView.contentAttributes.of({ "aria-label": label });
    view?.dispatch({ effects: naming.reconfigure(attributes) });
  },
  set(text) {
    view?.dispatch({ changes: { from: 0, to: view.state.doc.length, insert: text } });
  },
  text() {
    return view?.state.doc.toString() ?? "";
  },
  focus() {
    view?.focus();
  },
  /** Shows problems: flat triples of line (from 1), column (from 1) and message. */
  diagnostics(triples) {
    if (!view) return;
    const { doc } = view.state;
    const found = [];
    for (let i = 0; i + 2 < triples.length; i += 3) {
      const line = doc.line(Math.min(Math.max(triples[i], 1), doc.lines));
      const from = Math.min(line.from + Math.max(triples[i + 1] - 1, 0), line.to);
      found.push({ from, to: Math.max(line.to, from), severity: "error", message: String(triples[i + 2]) });
    }
    view.dispatch(cm.setDiagnostics(view.state, found));
  },
};
