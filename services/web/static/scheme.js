// The colours that the person's system asks for, before anything is drawn.
"use strict";
(() => {
  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  const put = () => { document.documentElement.dataset.bsTheme = dark.matches ? "dark" : "light"; };
  put();
  dark.addEventListener("change", put);
  document.documentElement.classList.add("scripted");
})();
