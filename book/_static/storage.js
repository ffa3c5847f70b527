// Where the browser refuses to store (a policy, a sandbox, a private window), theme and search get a store that lasts as long as the page.
for (const name of ["localStorage", "sessionStorage"]) {
  try {
    window[name].setItem("cxr", ""), window[name].removeItem("cxr");
  } catch {
    const kept = new Map(), value = { getItem: (key) => kept.get(key) ?? null, setItem: (key, text) => kept.set(key, String(text)), removeItem: (key) => kept.delete(key) };
    Object.defineProperty(window, name, { value, configurable: true });
  }
}
