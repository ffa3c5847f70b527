// Definitions from the glossary: under the pointer, on focus, or at the first tap. Escape closes; the second tap follows the link.
(() => {
  const box = Object.assign(document.createElement("div"), { id: "definition", role: "tooltip", hidden: true });
  let term = null, leaving = 0;
  const hide = () => {
    if (term) term.removeAttribute("aria-describedby");
    (term = null), (box.hidden = true);
  };
  const show = (link) => {
    clearTimeout(leaving);
    if (term && term !== link) hide();
    term = link;
    box.textContent = link.dataset.definition;
    box.hidden = false;
    link.setAttribute("aria-describedby", box.id);
    const at = link.getClientRects()[0], room = document.documentElement.clientWidth;
    box.style.left = `${scrollX + Math.max(8, Math.min(at.left, room - box.offsetWidth - 8))}px`;
    const above = at.bottom + box.offsetHeight > innerHeight && at.top > box.offsetHeight;
    box.style.top = `${scrollY + (above ? at.top - box.offsetHeight : at.bottom)}px`;
  };
  const leave = () => { leaving = setTimeout(hide, 150); }; // so that the pointer can go onto the box
  window.addEventListener("DOMContentLoaded", () => {
    const links = document.querySelectorAll("a.term");
    if (links.length) document.body.append(box);
    for (const link of links) {
      let touched = false;
      link.addEventListener("pointerdown", (event) => { touched = event.pointerType !== "mouse" && term !== link; });
      link.addEventListener("pointerenter", (event) => { if (event.pointerType === "mouse") show(link); });
      link.addEventListener("pointerleave", (event) => { if (event.pointerType === "mouse") leave(); });
      link.addEventListener("focus", () => show(link));
      link.addEventListener("blur", leave);
      link.addEventListener("click", (event) => {
        if (touched) event.preventDefault(), show(link);
        touched = false;
      });
    }
    box.addEventListener("pointerenter", () => clearTimeout(leaving));
    box.addEventListener("pointerleave", leave);
    document.addEventListener("keydown", (event) => { if (event.key === "Escape") hide(); });
    document.addEventListener("pointerdown", (event) => { if (term && event.target !== box && !term.contains(event.target)) hide(); });
  });
})();
