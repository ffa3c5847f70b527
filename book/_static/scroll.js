// What scrolls sideways can be reached with the keyboard, and nothing else is a stop on the way; a table says that it does.
(() => {
  const mark = () => {
    for (const box of document.querySelectorAll(".wide, .cell_output, div.math, .pst-scrollable-table-container, div.highlight pre")) {
      const over = box.scrollWidth > box.clientWidth;
      box.classList.toggle("overflows", over);
      if (box.matches(".wide")) continue; // a stop in any case
      if (over) box.tabIndex = 0;
      else if (box.tabIndex === 0) box.removeAttribute("tabindex");
    }
  };
  window.addEventListener("load", mark);
  window.addEventListener("resize", mark);
  document.addEventListener("toggle", mark, true); // what was folded has a width only now
})();
