// What scrolls sideways can be reached with the keyboard, and nothing else is a stop on the way.
(() => {
  const mark = () => {
    for (const box of document.querySelectorAll(".cell_output, div.math, .pst-scrollable-table-container, div.highlight pre")) {
      if (box.scrollWidth > box.clientWidth) box.tabIndex = 0;
      else if (box.tabIndex === 0) box.removeAttribute("tabindex");
    }
  };
  window.addEventListener("load", mark);
  window.addEventListener("resize", mark);
})();
