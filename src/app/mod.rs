//! The page: the living picture, the terminal, the YAML pane and the inspector, over one world.
//!
//! `i18n`, `pacer`, the checks of `editor` and all of `picture` but its `view` are pure and tested
//! natively; the rest touches the browser.

pub mod editor;
pub mod i18n;
pub mod pacer;
pub mod picture;
pub mod terminal;

#[cfg(target_arch = "wasm32")]
mod api;
#[cfg(target_arch = "wasm32")]
mod caption;
#[cfg(target_arch = "wasm32")]
mod engine;
#[cfg(target_arch = "wasm32")]
mod help;
#[cfg(target_arch = "wasm32")]
mod host;
#[cfg(target_arch = "wasm32")]
mod inspector;
#[cfg(target_arch = "wasm32")]
mod root;
#[cfg(target_arch = "wasm32")]
mod settings;
#[cfg(target_arch = "wasm32")]
mod topbar;
#[cfg(target_arch = "wasm32")]
mod ui;

#[cfg(target_arch = "wasm32")]
pub use start::start;

#[cfg(target_arch = "wasm32")]
mod start {
    use std::rc::Rc;

    use kubetab::sim::Time;
    use kubetab::wasm::{Places, load_later};

    use super::engine::Engine;
    use super::host::Host;
    use super::root::{Root, RootProps};
    use super::terminal::SessionRef;
    use super::terminal::session::Session;

    /// Boots the world and draws the page.
    pub fn start() {
        let start = Time(js_sys::Date::now().max(0.0) as u64 * 1_000).truncate_to_second();
        let document = web_sys::window().and_then(|w| w.document());
        let boot = document.as_ref().and_then(|d| d.get_element_by_id("boot"));
        let host = match Host::boot(start) {
            Ok(host) => host,
            Err(message) => {
                if let Some(boot) = boot {
                    boot.set_text_content(Some(&message));
                }
                return;
            }
        };
        // The frame loop runs on while what is loaded later comes, so that nobody has to be told.
        let base = document
            .as_ref()
            .and_then(|d| d.base_uri().ok().flatten())
            .unwrap_or_default();
        let places = Places {
            base,
            texts: "vendor/explain.txt",
            jq: "vendor/jq.wasm",
            kustomize: "vendor/kustomize.wasm",
        };
        load_later(host.world(), &places, Rc::new(|| {}));
        let engine = Engine::new(host);
        super::api::install(&engine);
        let session = SessionRef(Session::new(engine.clone()));
        if let Some(boot) = boot {
            boot.remove();
        }
        if let Some(body) = document.and_then(|d| d.body()) {
            yew::Renderer::<Root>::with_root_and_props(
                body.into(),
                RootProps {
                    engine: engine.clone(),
                    session,
                },
            )
            .render();
        }
        engine.start();
    }
}
