//! What every part of the page gets: the engine, the language, and a way to ask for things.

use std::rc::Rc;

use yew::prelude::*;

use super::engine::Engine;
use super::i18n::Language;
use super::picture::narration::fill;

/// Something in the picture that a person selected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Selection {
    /// An object: its kind and `namespace/name` (`/name` when it has no namespace).
    Object { kind: Rc<str>, name: Rc<str> },
    /// A part of the cluster, by its name in the translations.
    Part(&'static str),
}

impl Selection {
    pub fn object(kind: &str, name: &str) -> Selection {
        Selection::Object {
            kind: kind.into(),
            name: name.into(),
        }
    }

    /// Whether it is the object of this kind and name.
    pub fn is(&self, kind: &str, name: &str) -> bool {
        matches!(self, Selection::Object { kind: k, name: n } if **k == *kind && **n == *name)
    }
}

/// What a part of the page can ask for.
#[derive(Clone, Debug, PartialEq)]
pub enum Ask {
    Select(Option<Selection>),
    /// Types a command into the terminal and runs it.
    Run(String),
    /// Shows a file's text in the editor.
    Edit {
        file: Option<String>,
        text: String,
    },
    ShowEditor(bool),
    /// Closes the editor, and lets the program go on that waits for it.
    CloseEditor,
    ToggleLanguage,
    ToggleTheme,
    ToggleSystem,
    ToggleLog,
    ToggleHelp,
}

/// The context of the page's parts.
#[derive(Clone)]
pub struct Ui {
    pub engine: Rc<Engine>,
    pub language: Language,
    pub ask: Callback<Ask>,
}

impl PartialEq for Ui {
    fn eq(&self, other: &Ui) -> bool {
        Rc::ptr_eq(&self.engine, &other.engine) && self.language == other.language
    }
}

impl Ui {
    /// A string of the table.
    pub fn t(&self, key: &'static str) -> &'static str {
        self.language.get(key)
    }

    /// A string of the table with its gaps filled.
    pub fn fill(&self, key: &'static str, words: &[(&'static str, String)]) -> String {
        fill(self.t(key), words)
    }

    /// A callback that asks for this.
    pub fn asking<E>(&self, ask: Ask) -> Callback<E> {
        let f = self.ask.clone();
        Callback::from(move |_| f.emit(ask.clone()))
    }
}

/// The page's context.
#[hook]
pub fn use_ui() -> Option<Ui> {
    use_context::<Ui>()
}
