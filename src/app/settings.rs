//! What the page remembers of a visitor: language, theme, the panes' sizes. Storage may be refused, as
//! in some embeds; then nothing is remembered.

use super::i18n::Language;
use web_sys::MediaQueryList;

/// A remembered setting.
pub fn read(name: &str) -> Option<String> {
    let storage = web_sys::window()?.local_storage().ok()??;
    storage.get_item(&format!("kubetab.{name}")).ok()?
}

/// Remembers a setting.
pub fn write(name: &str, value: &str) {
    if let Some(Ok(Some(storage))) = web_sys::window().map(|w| w.local_storage()) {
        // A full or refused storage forgets, which is no harm.
        let _ = storage.set_item(&format!("kubetab.{name}"), value);
    }
}

fn root() -> Option<web_sys::Element> {
    web_sys::window()?.document()?.document_element()
}

/// The page's language: www/js/theme.js has set it before the first paint.
pub fn language() -> Language {
    match root().and_then(|r| r.get_attribute("lang")) {
        Some(lang) if lang.starts_with("zh") => Language::Chinese,
        _ => Language::English,
    }
}

/// Gives the page's title and description in a language.
pub fn entitle(language: Language) {
    let Some(document) = web_sys::window().and_then(|w| w.document()) else {
        return;
    };
    document.set_title(&format!(
        "{} · {}",
        language.get("title"),
        language.get("title.tagline")
    ));
    if let Ok(Some(description)) = document.query_selector("meta[name=description]") {
        // An attribute of a fixed name is never refused.
        let _ = description.set_attribute("content", language.get("title.description"));
    }
}

pub fn set_language(language: Language) {
    entitle(language);
    if let Some(root) = root() {
        // An attribute of a fixed name is never refused.
        let _ = root.set_attribute("lang", language.code());
    }
    write(
        "language",
        match language {
            Language::English => "en",
            Language::Chinese => "zh",
        },
    );
}

/// Whether the page is dark: as chosen, else as the system is.
pub fn is_dark() -> bool {
    match root().and_then(|r| r.get_attribute("data-theme")).as_deref() {
        Some("dark") => true,
        Some(_) => false,
        None => system_is_dark().is_some_and(|query| query.matches()),
    }
}

/// Whether the system is dark; raises `change` when it becomes or ceases to be so.
pub fn system_is_dark() -> Option<MediaQueryList> {
    web_sys::window()?.match_media("(prefers-color-scheme: dark)").ok()?
}

pub fn set_dark(dark: bool) {
    let theme = if dark { "dark" } else { "light" };
    if let Some(root) = root() {
        let _ = root.set_attribute("data-theme", theme);
    }
    write("theme", theme);
}
