// The ledger's filters (notebook 21). Without this script the page shows the whole table. The state is in the address: #study=B&verdict=differs
(() => {
  const root = document.querySelector(".claims");
  if (!root) return;
  const form = root.querySelector("form"), tiles = [...root.querySelectorAll(".tiles button")], rows = [...root.querySelectorAll("tbody tr")];
  const status = root.querySelector("[role=status]"), shown = root.querySelector(".shown"), link = root.querySelector("a.csv");
  const fields = ["study", "place", "verdict", "text"];
  const words = rows.map((row) => row.textContent.toLowerCase());

  function show() {
    const wanted = Object.fromEntries(fields.map((name) => [name, form.elements[name].value]));
    const parts = wanted.text.toLowerCase().split(/\s+/).filter(Boolean);
    const fits = (row, name) => !wanted[name] || row.dataset[name] === wanted[name];
    const counts = {};
    let left = 0;
    rows.forEach((row, i) => {
      const other = fits(row, "study") && fits(row, "place") && parts.every((part) => words[i].includes(part));
      if (other) (counts[row.dataset.verdict] ||= { A: 0, B: 0 })[row.dataset.study]++;
      row.hidden = !(other && fits(row, "verdict"));
      left += !row.hidden;
    });
    for (const tile of tiles) {
      tile.setAttribute("aria-pressed", tile.dataset.verdict === wanted.verdict);
      const { A, B } = counts[tile.dataset.verdict] || { A: 0, B: 0 };
      tile.querySelector(".count").textContent = A + B;
      tile.querySelector(".parts").textContent = `A ${A}, B ${B}`;
    }
    status.textContent = `${left} of ${rows.length} numbers.`;
    shown.hidden = left === rows.length;
    const state = new URLSearchParams(fields.filter((name) => wanted[name]).map((name) => [name, wanted[name]])).toString();
    const now = location.hash.slice(1);
    if (state !== now && (state || now.includes("="))) history.replaceState(null, "", state ? `#${state}` : location.pathname + location.search);
  }

  function read() {
    if (location.hash && !location.hash.includes("=")) return; // a heading or a row
    const state = new URLSearchParams(location.hash.slice(1));
    for (const name of fields) {
      form.elements[name].value = state.get(name) || "";
      if (form.elements[name].selectedIndex === -1) form.elements[name].value = ""; // no such choice
    }
    show();
  }

  function save() {
    const bytes = Uint8Array.from(atob(link.href.split(",")[1]), (byte) => byte.charCodeAt(0));
    const lines = new TextDecoder().decode(bytes).split("\n"); // a head, then one line for each row of the table
    const url = URL.createObjectURL(new Blob([[lines[0], ...lines.slice(1).filter((_, i) => rows[i] && !rows[i].hidden), ""].join("\n")], { type: "text/csv" }));
    Object.assign(document.createElement("a"), { href: url, download: "claims-shown.csv" }).click();
    setTimeout(() => URL.revokeObjectURL(url), 1000);
  }

  form.hidden = false;
  form.addEventListener("input", show);
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("reset", () => setTimeout(show));
  shown.addEventListener("click", save);
  for (const tile of tiles) {
    tile.disabled = false;
    tile.addEventListener("click", () => {
      const choice = form.elements.verdict;
      choice.value = choice.value === tile.dataset.verdict ? "" : tile.dataset.verdict;
      show();
    });
  }
  window.addEventListener("hashchange", read);
  read();
})();
