//! The page.
#[cfg(target_arch = "wasm32")]
pub fn start() {
    use yew::prelude::*;
    #[function_component]
    fn App() -> Html {
        html! { <p>{"kubetab"}</p> }
    }
    yew::Renderer::<App>::new().render();
}
