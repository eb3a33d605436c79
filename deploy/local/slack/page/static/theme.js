// Before anything is painted: the theme that was chosen, or the system's.
(() => {
  const stored = localStorage.getItem("theme");
  const system = matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
  document.documentElement.dataset.theme = stored ?? system;
})();
