// Sets the page's theme and language before the first paint, from what the visitor chose last.
(() => {
  const root = document.documentElement;
  try {
    const theme = localStorage.getItem("kubetab.theme");
    if (theme === "light" || theme === "dark") root.dataset.theme = theme;
    const language = localStorage.getItem("kubetab.language") ?? (navigator.language.startsWith("zh") ? "zh" : "en");
    root.lang = language === "zh" ? "zh-CN" : "en";
  } catch {
    // Storage is refused in some embeds: the system's own theme and English stay.
  }
})();
