// The explorer and its smaller relatives. One ES module, no dependency, no build step, three hosts: anywidget calls render({model, el}) in
// Jupyter, Colab and Binder; on a published page hostAll(), called at the end of the embedded module, does it with a model of its own;
// without JavaScript the page keeps the table that Python wrote. Whatever comes from data goes into the page as text, never as markup.

// ---------------------------------------------------------------- numbers (the formulas of cxrlib.metrics.intervals, which says where they are from)

const Z = 1.959963984540054; // normal quantile of 97.5 %
const FEW = 4; // patients that a variance over them needs
const ALIKE = 3; // patients whose images are taken to say the same
const clamp = (x, low, high) => Math.min(Math.max(x, low), high);

/** Runs as arrays from the payload that cxrlib.explorer packs; runs share equal columns. */
export function decode({ runs, columns }) {
  const whole = (place) => Int32Array.from(columns[place]), ten = Array.from({ length: 23 }, (_, i) => Number(`1e${i}`));
  // The last class may be given by its decimals and how far it is, in units of the last of them, from what the others leave of one.
  const left = ([away, decimals], made) => Float64Array.from(columns[away], (x, i) => {
    const unit = ten[columns[decimals][i]];
    return (Math.floor(made.reduce((rest, p) => rest - p[i], 1) * unit) + x) / unit;
  });
  const scores = (all) => all.reduce((made, places) => [...made, places.length > 1 ? left(places, made) : Float64Array.from(columns[places[0]])], []);
  // Two classes with few decimals come as units of the last one, the first class alone.
  const both = ({ units, decimals }) => [(x) => x, (x) => ten[decimals] - x].map((of) => Float64Array.from(columns[units], (x) => of(x) / ten[decimals]));
  return runs.map((run) => ({
    ...run, y: whole(run.y), patient: whole(run.patient), p: run.p.units === undefined ? scores(run.p) : both(run.p),
    groups: run.groups.map((group) => ({ ...group, codes: whole(group.codes) })),
  }));
}

/** One class against the rest, sorted once, with running sums, so that any threshold is a binary search away. */
export class Cohort {
  constructor(score, truth, patient, rank = score) {
    const n = (this.n = score.length), order = Uint32Array.from(score, (_, i) => i).sort((a, b) => rank[b] - rank[a]);
    this.rank = Float64Array.from(order, (i) => rank[i]);
    this.score = Float64Array.from(order, (i) => score[i]); // descending
    this.truth = Uint8Array.from(order, (i) => truth[i]);
    const who = this.who = Uint32Array.from(order, (i) => patient[i]), size = patient.reduce((most, j) => (j < most ? most : j + 1), 0);
    const P = new Float64Array(size), N = new Float64Array(size), u = new Float64Array(size), v = new Float64Array(size);
    for (let i = 0; i < n; i++) this.truth[i] ? P[who[i]]++ : N[who[i]]++;
    // Sums over patients of squares and products of u, v (found positives, false alarms) and P, N, when the first k images are called.
    // And how many patients have some found, or all (us, ua), some false alarms, or nothing else (vs, va).
    for (const name of ["tp", "fp", "uu", "uP", "us", "ua", "vv", "vN", "vs", "va"]) this[name] = new Float64Array(n + 1);
    const add = (name, i, x) => { this[name][i + 1] = this[name][i] + x; };
    for (let i = 0; i < n; i++) {
      const j = who[i], ill = this.truth[i];
      add("tp", i, ill), add("uu", i, ill && 2 * u[j] + 1), add("uP", i, ill && P[j]), add("fp", i, 1 - ill), add("vv", i, ill ? 0 : 2 * v[j] + 1), add("vN", i, ill ? 0 : N[j]);
      add("us", i, +(ill && !u[j])), add("ua", i, +(ill && u[j] + 1 === P[j])), add("vs", i, +(!ill && !v[j])), add("va", i, +(!ill && v[j] + 1 === N[j]));
      ill ? u[j]++ : v[j]++;
    }
    const sum = (of) => P.reduce((total, x, j) => total + of(x, N[j]), 0);
    this.positives = sum((p) => p), this.negatives = n - this.positives, this.PP = sum((p) => p * p), this.NN = sum((_, m) => m * m);
    this.patients = { P: sum((p) => +(p > 0)), N: sum((_, m) => +(m > 0)), all: sum((p, m) => +(p + m > 0)) };
    const healthy = this.negatives / n;
    this.healthy = share(healthy, n, this.patients.all, sum((p, m) => (m - healthy * (p + m)) ** 2), sum((p, m) => (p + m) ** 2), Math.min(this.patients.P, this.patients.N));
    this.area = this.auc();
  }
  /** Images with a score of at least t. */
  count(t) {
    let low = 0, high = this.n;
    while (low < high) { const mid = (low + high) >> 1; this.score[mid] >= t ? (low = mid + 1) : (high = mid); }
    return low;
  }
  /** Distinct thresholds, descending, with the number of images called; 1 is among them. */
  cuts() {
    const found = this.n && this.score[0] >= 1 ? [] : [[1, 0]];
    for (let i = 0; i < this.n; i++) if (i + 1 === this.n || this.score[i + 1] < this.score[i]) found.push([this.score[i], i + 1]);
    return found;
  }
  /** Sensitivity and specificity, [value, low, high] each, when the first k images are called. */
  rates(k) {
    const { positives, negatives, patients } = this, s = this.tp[k] / positives, c = (negatives - this.fp[k]) / negatives, f = 1 - c;
    return [
      share(s, positives, patients.P, this.uu[k] - 2 * s * this.uP[k] + s * s * this.PP, this.PP, Math.min(this.us[k], patients.P - this.ua[k])),
      share(c, negatives, patients.N, this.vv[k] - 2 * f * this.vN[k] + f * f * this.NN, this.NN, Math.min(this.vs[k], patients.N - this.va[k])),
    ];
  }
  /** AUC with DeLong's interval for images in patients, [value, low, high]. */
  auc() {
    const { n, positives, negatives } = this;
    if (!positives || !negatives) return [NaN, NaN, NaN];
    const place = new Float64Array(n);
    let sum = 0, above = 0, below = negatives; // positives above, negatives below the group of equal scores
    for (let i = 0, end; i < n; i = end) {
      let p = 0;
      for (end = i; end < n && this.rank[end] === this.rank[i]; end++) p += this.truth[end];
      const q = end - i - p;
      below -= q;
      for (let j = i; j < end; j++) place[j] = this.truth[j] ? (below + q / 2) / negatives : (above + p / 2) / positives;
      sum += p * (below + q / 2), above += p;
    }
    const auc = sum / (positives * negatives), { P, N, all } = this.patients;
    if (Math.min(P, N) < FEW) return [auc, NaN, NaN];
    const a = new Map(), b = new Map();
    for (let i = 0; i < n; i++) {
      const [side, size] = this.truth[i] ? [a, positives] : [b, negatives];
      side.set(this.who[i], (side.get(this.who[i]) || 0) + (place[i] - auc) / size);
    }
    let aa = 0, bb = 0, ab = 0;
    for (const [who, x] of a) aa += x * x, ab += x * (b.get(who) || 0);
    for (const x of b.values()) bb += x * x;
    const half = Z * Math.sqrt(Math.max(P / (P - 1) * aa + N / (N - 1) * bb + 2 * all / (all - 1) * ab, 0));
    return half > 1e-12 ? [auc, Math.max(auc - half, 0), Math.min(auc + half, 1)] : [auc, NaN, NaN];
  }
}

/** A share of images, [value, low, high]: Wilson's interval for as many images as cxrlib.metrics.intervals.effective_number says (square: Σ of squares over patients; sizes: Σ of squares of their images; carriers: patients with errors, or with successes, whichever are fewer). */
function share(r, total, patients, square, sizes, carriers) {
  const variance = patients / (patients - 1) * square / total ** 2, same = sizes / total;
  if (!(r > 0 && r < 1)) return wilson(r, patients);
  if (patients < FEW || !(variance > 1e-15)) return wilson(r, total / same);
  return wilson(r, total * (carriers + ALIKE) / (carriers * total / clamp(r * (1 - r) / variance, 1, total) + ALIKE * same));
}

function wilson(p, n) {
  const centre = p + Z * Z / (2 * n), half = Z * Math.sqrt(p * (1 - p) / n + Z * Z / (4 * n * n)), width = 1 + Z * Z / n;
  return [p, p === 0 ? 0 : (centre - half) / width, p === 1 ? 1 : (centre + half) / width];
}

function ratio([s, sLow, sHigh], [f, fLow, fHigh]) {
  const left = sLow * (2 * s - sLow), right = fLow * (2 * f - fLow), value = s / f;
  const low = left ? left / (s * f + Math.sqrt((fHigh - f) ** 2 * left + (f * (s - sLow)) ** 2)) : 0;
  const high = right ? (s * f + Math.sqrt((sHigh - s) ** 2 * right + (s * (f - fLow)) ** 2)) / right : Infinity;
  return Number.isNaN(value) ? [NaN, NaN, NaN] : [value, low, high];
}

function weighted([x, xLow, xHigh], [y, yLow, yHigh], a, b) {
  const value = a * x + b * y;
  return [value, value - Math.sqrt((a * (x - xLow)) ** 2 + (b * (y - yLow)) ** 2), value + Math.sqrt((a * (xHigh - x)) ** 2 + (b * (yHigh - y)) ** 2)];
}

/** PPV and NPV, [value, low, high] each, at a prevalence, of the likelihood ratios. */
export function atPrevalence(up, down, prevalence) {
  const odds = prevalence / (1 - prevalence);
  return [up.map((x) => 1 / (1 + 1 / (x * odds))), [down[0], down[2], down[1]].map((x) => 1 / (1 + x * odds))];
}

/** Likelihood ratios, positive and negative, of sensitivity and specificity, [value, low, high] each. */
export function likelihood(sensitivity, specificity) {
  const other = (share) => [0, 2, 1].map((i) => 1 - share[i]);
  return [ratio(sensitivity, other(specificity)), ratio(other(sensitivity), specificity)];
}

/** Every rate, [value, low, high] each, where scores of at least the threshold are called: cxrlib.metrics.intervals.at_threshold. */
export function reading(cohort, threshold, prevalence) {
  const [sensitivity, specificity] = cohort.rates(cohort.count(threshold)), own = cohort.positives / cohort.n;
  const [lr_positive, lr_negative] = likelihood(sensitivity, specificity), cost = threshold / (1 - threshold) * (1 - prevalence);
  const [ppv, npv] = atPrevalence(lr_positive, lr_negative, own), [ppv_at, npv_at] = atPrevalence(lr_positive, lr_negative, prevalence);
  return {
    sensitivity, specificity, lr_positive, lr_negative, auc: cohort.area, ppv, npv, ppv_at, npv_at,
    accuracy: weighted(sensitivity, specificity, own, 1 - own), accuracy_at: weighted(sensitivity, specificity, prevalence, 1 - prevalence),
    all_healthy: cohort.healthy, all_healthy_at: [1 - prevalence, NaN, NaN],
    net_benefit: weighted(sensitivity, specificity, prevalence, cost).map((x) => x - cost), net_benefit_all: [prevalence - cost, NaN, NaN],
  };
}

/** Thresholds worth a look: cxrlib.metrics.suggested_thresholds. */
export function presets(cohort, prevalence, printed, cost, wanted = 0.95) {
  const { positives: P, negatives: N, tp, fp } = cohort, found = { half: 0.5 };
  if (!P || !N) return found;
  let best = -Infinity, least = Infinity;
  for (const [t, k] of cohort.cuts()) {
    if (printed !== undefined && found.printed === undefined && tp[k] / P >= printed) found.printed = t;
    if (found.sensitivity === undefined && tp[k] / P >= wanted) found.sensitivity = t;
    const gain = tp[k] * N - fp[k] * P, expected = cost * prevalence * ((P - tp[k]) / P) + (1 - prevalence) * (fp[k] / N);
    if (gain > best) best = gain, found.youden = t;
    if (expected < least) least = expected, found.cost = t;
  }
  return found;
}

/** Whole people that add up, halves to even as Python rounds: cxrlib.metrics.natural_frequencies. */
export function natural(sensitivity, specificity, prevalence, people = 1000) {
  const round = (x) => (x % 1 === 0.5 ? 2 * Math.round(x / 2) : Math.round(x));
  const ill = round(people * prevalence), TP = round(ill * sensitivity), TN = round((people - ill) * specificity);
  return { TP, FN: ill - TP, FP: people - ill - TN, TN };
}

// ---------------------------------------------------------------- text and drawing

const group = new Intl.NumberFormat("en-GB").format;
const pct = (x) => {
  const v = 100 * x;
  if (Number.isNaN(v)) return "–";
  return (v > 0 && v < 0.005 ? "<0.01" : v > 99.95 && v < 100 ? Math.min(v, 99.99).toFixed(2) : v.toFixed(v < 1 && v > 0 ? 2 : 1)) + " %";
};
const times = (x) => (Number.isNaN(x) ? "–" : x === Infinity ? "∞" : x >= 1000 ? group(Math.round(x)) : x ? x.toPrecision(3) : "0");
const perMille = (x) => (Number.isFinite(x) ? (1000 * x).toFixed(Math.abs(x) < 0.1 ? 1 : 0).replace("-", "−") : "–");
const ends = ([, low, high], show) => (Number.isNaN(low) ? "" : `${show(low).replace(" %", "")}${low < 0 ? " to " : "–"}${show(high)}`);
/** A threshold or prevalence short enough to read, as near to the ends as it was. */
const neat = (t) => (t <= 0 || t >= 1 ? clamp(t, 0, 1) : t < 0.5 ? +t.toPrecision(3) : +(1 - +(1 - t).toPrecision(3)).toFixed(12));

function make(tag, attributes, ...children) {
  const svg = /^(svg|g|path|rect|line|circle|text|clipPath|pattern|defs|polygon|title)$/.test(tag);
  const node = svg ? document.createElementNS("http://www.w3.org/2000/svg", tag) : document.createElement(tag);
  for (const [name, value] of Object.entries(attributes || {})) {
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (value === true) node.setAttribute(name, "");
    else if (value !== false && value !== undefined) node.setAttribute(name, value);
  }
  if (/^(input|select|button)$/.test(tag)) node.dataset.lmSuppressShortcuts = "true"; // or JupyterLab takes their keys for its own
  node.append(...children);
  return node;
}
const put = (node, text) => { if (node.textContent !== text) node.firstChild ? (node.firstChild.nodeValue = text) : (node.textContent = text); };
/** What an object holds under a name from data; a name may be one that every object answers to ("constructor"). */
const held = (object, name) => (Object.hasOwn(object, name) ? object[name] : undefined);
let serial = 0;

/** Where a value stands on an axis from 0 to 1, and back. */
const SCALES = {
  linear: () => ({ to: (t) => clamp(t, 0, 1), from: (u) => u, ticks: [0, 0.25, 0.5, 0.75, 1].map((t) => [t, String(t)]) }),
  logit: (cohort) => {
    const logit = (t) => Math.log(t / (1 - t)), inner = [...cohort.score].filter((t) => t > 0 && t < 1).map((t) => Math.abs(logit(t)));
    const end = clamp(inner.reduce((most, x) => Math.max(most, x), 2) * 1.05, 2, 17), to = (t) => clamp((logit(clamp(t, 1e-12, 1 - 1e-12)) + end) / (2 * end), 0, 1);
    const ticks = [[1e-6, "10⁻⁶"], [1e-4, "10⁻⁴"], [0.01, "0.01"], [0.1, "0.1"], [0.5, "0.5"], [0.9, "0.9"], [0.99, "0.99"], [1 - 1e-4, "1−10⁻⁴"], [1 - 1e-6, "1−10⁻⁶"]];
    const shown = ticks.filter(([t]) => Math.abs(logit(t)) < end && (end < 8 || ![0.1, 0.9].includes(t)));
    return { to, from: (u) => (u <= 0 ? 0 : u >= 1 ? 1 : 1 / (1 + Math.exp(end - 2 * end * u))), ticks: shown };
  },
};
const LOW = 1e-4, HIGH = 0.9, SPAN = Math.log(HIGH / LOW);
const PREVALENCE = {
  to: (p) => clamp(Math.log(p / LOW) / SPAN, 0, 1), from: (u) => LOW * Math.exp(u * SPAN),
  ticks: [[LOW, "0.01"], [0.001, "0.1"], [0.01, "1"], [0.1, "10"], [HIGH, "90"]],
};

/** A figure with axes from 0 to 1: grid and labels are drawn again when its width changes, all else only moves. */
class Chart {
  constructor({ kind, label, ratio, x, y, xTicks, yTicks, point, margin = [10, 14, 38, 44] }) {
    Object.assign(this, { ratio, margin, x, y, xTicks, yTicks, moved: () => {} });
    this.back = make("g"), this.front = make("g"), this.name = make("title", {}, label);
    this.svg = make("svg", { role: "img", class: `cxr-chart cxr-${kind}` }, this.name, this.back, this.front);
    this.figure = make("figure", { class: `cxr-figure cxr-of-${kind}` }, this.svg);
    if (point) this.drag(point);
  }
  add(tag, attributes) { return this.front.appendChild(make(tag, attributes)); }
  px(u) { return this.margin[3] + u * this.w; }
  py(v) { return this.margin[0] + (1 - v) * this.h; }
  path(points) { let d = ""; for (const [u, v] of points) d += `${d ? "L" : "M"}${this.px(u).toFixed(1)} ${this.py(v).toFixed(1)}`; return d; }
  size() {
    const width = Math.max(this.figure.clientWidth, 120), [top, right, bottom, left] = this.margin;
    this.w = width - left - right, this.h = Math.round(clamp(this.w * this.ratio, 110, 300));
    this.svg.setAttribute("width", width), this.svg.setAttribute("height", this.h + top + bottom);
    this.svg.setAttribute("viewBox", `0 0 ${width} ${this.h + top + bottom}`);
    const text = (x, y, words, anchor, more) => make("text", { x, y, "text-anchor": anchor, ...more }, words), parts = [];
    for (const [u, words] of this.xTicks || []) {
      parts.push(make("line", { class: "cxr-grid", x1: this.px(u), x2: this.px(u), y1: this.py(0), y2: this.py(1) }));
      parts.push(text(this.px(u), this.py(0) + 15, words, "middle"));
    }
    for (const [v, words] of this.yTicks || []) {
      parts.push(make("line", { class: "cxr-grid", x1: this.px(0), x2: this.px(1), y1: this.py(v), y2: this.py(v) }));
      parts.push(text(this.px(0) - 6, this.py(v) + 4, words, "end"));
    }
    parts.push(text(this.px(0.5), this.py(0) + 33, this.x, "middle", { class: "cxr-axis" }));
    if (this.y) parts.push(text(0, 0, this.y, "middle", { class: "cxr-axis", transform: `translate(11 ${this.py(0.5)}) rotate(-90)` }));
    this.back.replaceChildren(...parts);
  }
  drag(point) {
    const move = (event) => {
      const box = this.svg.getBoundingClientRect();
      point(clamp((event.clientX - box.left - this.margin[3]) / this.w, 0, 1), clamp(1 - (event.clientY - box.top - this.margin[0]) / this.h, 0, 1));
    };
    this.svg.classList.add("cxr-drag");
    this.svg.addEventListener("pointerdown", (event) => { if (event.button === 0) this.svg.setPointerCapture(event.pointerId), move(event), event.preventDefault(); });
    this.svg.addEventListener("pointermove", (event) => { if (this.svg.hasPointerCapture(event.pointerId)) move(event); });
  }
}

const SHARE_TICKS = [0, 0.25, 0.5, 0.75, 1].map((v) => [v, `${100 * v}`]);
const STAR = "M0-8 2-2.6 7.6-2.5 3.2 1 4.7 6.5 0 3.3-4.7 6.5-3.2 1-7.6-2.5-2-2.6Z";
const at = (node, x, y) => node.setAttribute("transform", `translate(${x.toFixed(1)} ${y.toFixed(1)})`);

/** Distributions of the score: positives upward, the rest downward, what is called in full colour; the threshold can be dragged. */
function scoresPanel(onThreshold) {
  const chart = new Chart({ kind: "scores", label: "Distribution of the score by class", ratio: 0.5, x: "", point: (u) => onThreshold(u), margin: [34, 14, 38, 14] });
  const id = `cxr-clip-${++serial}`, clip = make("rect", { x: 0, y: 0, width: 0, height: 999 });
  chart.back.before(make("defs", {}, make("clipPath", { id }, clip)));
  const bars = ["pos", "neg"].flatMap((side) => [chart.add("path", { class: `cxr-${side} cxr-pale` }), chart.add("path", { class: `cxr-${side}`, "clip-path": `url(#${id})` })]);
  const base = chart.add("line", { class: "cxr-base" }), names = ["pos", "neg"].map((side) => make("span", { class: `cxr-swatch cxr-${side}` }, ""));
  const cut = chart.add("g", { class: "cxr-cut" }), line = cut.appendChild(make("line", { y1: 24 })), tag = chart.add("text", { class: "cxr-tag", y: 13 });
  cut.append(make("circle", { r: 7, cy: 26 }), make("path", { class: "cxr-grip", d: "M-2 23v6M2 23v6" }));
  return {
    chart, legend: make("div", { class: "cxr-names" }, ...names),
    configure(cohort, scale, positive, negative) {
      const bins = 44, counts = [new Float64Array(bins), new Float64Array(bins)];
      for (let i = 0; i < cohort.n; i++) counts[1 - cohort.truth[i]][Math.min(Math.floor(scale.to(cohort.score[i]) * bins + 1e-9), bins - 1)]++;
      chart.x = "Probability that the network gives", chart.xTicks = scale.ticks.map(([t, words]) => [scale.to(t), words]);
      chart.size();
      const middle = 0.5, room = 0.47;
      const tops = counts.map((side) => Math.max(...side));
      counts.forEach((side, k) => {
        const top = tops[k] || 1, sign = k ? -1 : 1;
        let d = "";
        side.forEach((count, bin) => {
          if (!count) return;
          const x = chart.px(bin / bins), wide = chart.w / bins - 1, tall = Math.max((count / top) * room * chart.h, 1.5) * -sign, y = chart.py(middle);
          d += `M${x.toFixed(1)} ${y}v${tall.toFixed(1)}h${wide.toFixed(1)}V${y}Z`;
        });
        bars[2 * k].setAttribute("d", d), bars[2 * k + 1].setAttribute("d", d);
      });
      for (const [name, value] of [["x1", chart.px(0)], ["x2", chart.px(1)], ["y1", chart.py(middle)], ["y2", chart.py(middle)]]) base.setAttribute(name, value);
      [[positive, cohort.positives], [negative, cohort.negatives]].forEach(([name, all], k) => put(names[k], `${name}, ${group(all)}${all ? ` (tallest bar ${group(tops[k])})` : ""}`));
      line.setAttribute("y2", chart.py(0));
    },
    update(threshold, u) {
      const x = chart.px(u);
      clip.setAttribute("x", x), clip.setAttribute("width", Math.max(chart.px(1) + 1 - x, 0));
      at(cut, x, 0), put(tag, `called from ${threshold}`);
      tag.setAttribute("x", clamp(x, chart.px(0) + 45, chart.px(1) - 45));
    },
  };
}

/** ROC or precision–recall plane: the curve, the operating point with its intervals, the point as printed with what rounding leaves open. */
function planePanel(kind, onPoint) {
  const roc = kind === "roc";
  const chart = new Chart({
    kind, label: roc ? "ROC curve" : "Precision–recall curve", ratio: 0.92, yTicks: SHARE_TICKS, xTicks: SHARE_TICKS,
    x: roc ? "False positives, % of negatives" : "Sensitivity, % of positives", y: roc ? "Sensitivity, %" : "PPV, %", point: onPoint,
  });
  const chance = chart.add("path", { class: "cxr-chance" }), curve = chart.add("path", { class: "cxr-curve" });
  const rounding = chart.add("rect", { class: "cxr-rounding" }), printed = chart.add("path", { class: "cxr-star", d: STAR });
  const cross = chart.add("path", { class: "cxr-cross" }), dot = chart.add("circle", { class: "cxr-dot", r: 6 });
  return {
    chart,
    curve(points, base) {
      curve.setAttribute("d", chart.path(points)), chance.setAttribute("d", chart.path(roc ? [[0, 0], [1, 1]] : [[0, base], [1, base]]));
    },
    update([x, xLow, xHigh], [y, yLow, yHigh]) {
      const shown = !Number.isNaN(x + y);
      for (const node of [dot, cross]) node.style.display = shown ? "" : "none";
      if (!shown) return;
      dot.setAttribute("cx", chart.px(x)), dot.setAttribute("cy", chart.py(y));
      cross.setAttribute("d", `M${chart.px(xLow).toFixed(1)} ${chart.py(y).toFixed(1)}H${chart.px(xHigh).toFixed(1)}M${chart.px(x).toFixed(1)} ${chart.py(yLow).toFixed(1)}V${chart.py(yHigh).toFixed(1)}`);
    },
    printed(point) {
      for (const node of [printed, rounding]) node.style.display = point ? "" : "none";
      if (!point) return;
      const [[x, x0, x1], [y, y0, y1]] = point;
      at(printed, chart.px(x), chart.py(y));
      for (const [name, value] of [["x", chart.px(x0)], ["y", chart.py(y1)], ["width", Math.max(chart.px(x1) - chart.px(x0), 1)], ["height", Math.max(chart.py(y0) - chart.py(y1), 1)]]) rounding.setAttribute(name, value);
    },
  };
}

/** PPV and NPV against prevalence on a logarithmic axis, with their bands; the prevalence can be dragged. */
function prevalencePanel(onPrevalence) {
  const chart = new Chart({
    kind: "prevalence", label: "PPV and NPV by prevalence", ratio: 0.54, x: "Prevalence, %", yTicks: SHARE_TICKS, margin: [34, 18, 38, 34],
    xTicks: PREVALENCE.ticks.map(([p, words]) => [PREVALENCE.to(p), words]), point: (u) => onPrevalence(u),
  });
  const marks = chart.add("g"), bands = ["neg", "pos"].map((side) => chart.add("path", { class: `cxr-band cxr-${side}` }));
  const lines = ["neg", "pos"].map((side) => chart.add("path", { class: `cxr-line cxr-${side}` }));
  const bar = chart.add("line", { class: "cxr-printed-bar" }), cut = chart.add("g", { class: "cxr-cut" }), line = cut.appendChild(make("line", { y1: 24 }));
  cut.append(make("circle", { r: 7, cy: 26 }), make("path", { class: "cxr-grip", d: "M-2 23v6M2 23v6" }));
  const dots = ["neg", "pos"].map((side) => chart.add("circle", { class: `cxr-dot cxr-${side}`, r: 5 })), tag = chart.add("text", { class: "cxr-tag", y: 13 });
  const grid = Array.from({ length: 57 }, (_, i) => i / 56), odds = grid.map((u) => PREVALENCE.from(u));
  return {
    chart,
    configure(found) {
      chart.size();
      line.setAttribute("y2", chart.py(0));
      marks.replaceChildren(...found.map(({ value, label }) => {
        const x = chart.px(PREVALENCE.to(value));
        return make("g", {}, make("title", {}, label), make("line", { class: "cxr-mark", x1: x, x2: x, y1: chart.py(0), y2: chart.py(0) - 9 }));
      }));
    },
    curves(up, down) {
      const values = odds.map((p) => atPrevalence(up, down, p)), known = !Number.isNaN(up[0] + down[0]);
      [1, 0].forEach((which, k) => {
        const of = (i) => grid.map((u, j) => [u, values[j][which][i]]);
        lines[k].setAttribute("d", known ? chart.path(of(0)) : "");
        bands[k].setAttribute("d", known ? `${chart.path(of(1))}${chart.path(of(2).reverse()).replace("M", "L")}Z` : "");
      });
    },
    update(prevalence, ppv, npv, printed) {
      const x = chart.px(PREVALENCE.to(prevalence));
      at(cut, x, 0), put(tag, `prevalence ${pct(prevalence)}`), tag.setAttribute("x", clamp(x, chart.px(0) + 50, chart.px(1) - 50));
      [npv, ppv].forEach(([v], k) => {
        dots[k].style.display = Number.isNaN(v) ? "none" : "";
        if (!Number.isNaN(v)) dots[k].setAttribute("cx", x), dots[k].setAttribute("cy", chart.py(v));
      });
      bar.style.display = printed ? "" : "none";
      if (printed) for (const [name, value] of [["x1", x], ["x2", x], ["y1", chart.py(printed[1])], ["y2", chart.py(printed[2]) - 2]]) bar.setAttribute(name, value);
    },
  };
}

const OUTCOMES = [["FN", "missed"], ["TP", "found"], ["FP", "false alarms"], ["TN", "rightly left alone"]]; // so that the ill are together, and the called

/** A thousand people: four areas filled with a pattern, so that recolouring them all moves four outlines. */
function peoplePanel() {
  const id = ++serial, svg = make("svg", { role: "img", class: "cxr-people", "aria-label": "A thousand people" }), defs = make("defs"), counts = {};
  svg.append(defs);
  const areas = OUTCOMES.map(([key]) => {
    defs.append(make("pattern", { id: `cxr-${key}-${id}`, width: 10, height: 10, patternUnits: "userSpaceOnUse" },
      make("path", { class: `cxr-person cxr-${key}`, d: "M5 .9a1.75 1.75 0 1 1 0 3.5a1.75 1.75 0 1 1 0-3.5ZM1.9 9.2V7.6a2.5 2.5 0 0 1 2.5-2.5h1.2a2.5 2.5 0 0 1 2.5 2.5v1.6Z" })));
    return svg.appendChild(make("polygon", { fill: `url(#cxr-${key}-${id})` }));
  });
  const legend = make("ul", { class: "cxr-legend" }, ...OUTCOMES.map(([key, words]) => {
    counts[key] = make("b", {}, "–");
    const icon = make("svg", { viewBox: "0 0 10 10", width: 14, height: 14, "aria-hidden": "true" }, make("path", { class: `cxr-person cxr-${key}`, d: "M5 .9a1.75 1.75 0 1 1 0 3.5a1.75 1.75 0 1 1 0-3.5ZM1.9 9.2V7.6a2.5 2.5 0 0 1 2.5-2.5h1.2a2.5 2.5 0 0 1 2.5 2.5v1.6Z" }));
    return make("li", {}, icon, counts[key], ` ${words}`);
  }));
  const figure = make("figure", { class: "cxr-figure cxr-of-people" }, svg, legend);
  let columns = 50;
  return {
    figure, svg,
    size() { columns = figure.clientWidth < 480 ? 40 : 50, svg.setAttribute("viewBox", `0 0 ${columns * 10} ${10000 / columns}`); },
    update(people) {
      let from = 0;
      OUTCOMES.forEach(([key], k) => {
        const n = people ? people[key] : key === "TN" ? 1000 : 0, to = from + n, c = columns, w = c * 10;
        const [a, i, b, j] = [Math.floor(from / c) * 10, (from % c) * 10, Math.floor(to / c) * 10, (to % c) * 10];
        areas[k].setAttribute("points", n ? `${i} ${a} ${w} ${a} ${w} ${b} ${j} ${b} ${j} ${b + 10} 0 ${b + 10} 0 ${a + 10} ${i} ${a + 10}` : "");
        put(counts[key], people ? group(n) : "–"), (from = to);
      });
    },
    say(text) { svg.setAttribute("aria-label", text); },
  };
}

const nextId = () => `cxr-${++serial}`;
/** A labelled slider over 1,000 steps with a box for the exact number beside it; the box takes back what is not within [low, high]. */
function slider(words, unit, { onSlide, within: [low, high], onType }) {
  let shown = "";
  const id = nextId(), range = make("input", { type: "range", min: 0, max: 1000, step: 1, id, oninput: (e) => onSlide(e.target.value / 1000) });
  const box = make("input", { type: "text", inputmode: "decimal", size: 7, "aria-label": `${words}, exact`, onchange: () => { const x = number(box.value, low, high); x === undefined ? (box.value = shown) : onType(x); } });
  const node = make("div", { class: "cxr-slider" }, range, make("div", { class: "cxr-row" }, make("label", { for: id }, words), make("span", {}, box, unit)));
  return { node, set(u, text, spoken) {
    shown = text, range.value = Math.round(u * 1000), range.setAttribute("aria-valuetext", spoken);
    if (document.activeElement !== box) box.value = text;
  } };
}

function select(words, options, value, onPick) {
  const id = nextId(), node = make("select", { id, onchange: (e) => onPick(e.target.value) });
  node.append(...options.map(([key, text]) => make("option", { value: key, selected: key === value }, text)));
  return make("span", { class: "cxr-field" }, make("label", { for: id }, words), node);
}

const ROWS = [ // measure, what it is, how it is shown; a pair: in the images, and at the chosen prevalence
  [["sensitivity"], "Sensitivity", "of the positives, called", pct], [["specificity"], "Specificity", "of the negatives, not called", pct],
  [["ppv", "ppv_at"], "PPV", "of those called, positive", pct], [["npv", "npv_at"], "NPV", "of those not called, negative", pct],
  [["lr_positive"], "LR+", "a call multiplies the odds by", times], [["lr_negative"], "LR−", "no call multiplies the odds by", times],
  [["accuracy", "accuracy_at"], "Accuracy", "right, of all", pct], [["all_healthy", "all_healthy_at"], "Accuracy of calling no one", "“everyone is healthy”", pct],
  [["auc"], "AUC", "at all thresholds together", (x) => (Number.isNaN(x) ? "–" : x.toFixed(3))],
  [[null, "net_benefit"], "Net benefit", "per 1,000 people", perMille], [[null, "net_benefit_all"], "Net benefit of calling everyone", "of calling no one: 0", perMille],
];

/** The table of rates: every text node stays, only its text changes. */
function readingsPanel() {
  const heads = ["Measure", "In the images", "At the prevalence"].map((text) => make("th", { scope: "col" }, text)), cells = [];
  const body = ROWS.map(([keys, title, words, show]) => make("tr", {}, make("th", { scope: "row" }, title, make("small", {}, words)), ...keys.map((key) => {
    if (!key) return make("td", {}, "");
    const value = make("b", {}, "–"), interval = make("span", {}, "");
    cells.push([key, value, interval, show]);
    return make("td", keys.length === 1 ? { colspan: 2 } : {}, value, " ", interval);
  })));
  const node = make("table", { class: "cxr-readings" }, make("caption", {}, "Rates, each with its 95 % interval"), make("thead", {}, make("tr", {}, ...heads)), make("tbody", {}, ...body));
  return { node, update(found, images, prevalence) {
    put(heads[1], `In these ${group(images)} images`), put(heads[2], `At a prevalence of ${pct(prevalence)}`);
    for (const [key, value, interval, show] of cells) put(value, show(found[key][0])), put(interval, ends(found[key], show));
  } };
}

/** Confusion matrix in the colours of the people. */
function matrixPanel() {
  const cells = {}, heads = [make("th", { scope: "row" }, ""), make("th", { scope: "row" }, "")];
  const cell = (key) => { const n = make("b", {}, "–"), share = make("span", {}, ""); cells[key] = [n, share]; return make("td", { class: `cxr-cell cxr-${key}` }, n, share); };
  const node = make("table", { class: "cxr-matrix" }, make("caption", {}, "Confusion matrix, images"),
    make("thead", {}, make("tr", {}, make("td"), make("th", { scope: "col" }, "Called"), make("th", { scope: "col" }, "Not called"))),
    make("tbody", {}, make("tr", {}, heads[0], cell("TP"), cell("FN")), make("tr", {}, heads[1], cell("FP"), cell("TN"))));
  return { node, configure(positive, negative) { put(heads[0], positive), put(heads[1], negative); }, update(cohort, k) {
    const tp = cohort.tp[k], fp = cohort.fp[k], found = { TP: [tp, cohort.positives], FN: [cohort.positives - tp, cohort.positives], FP: [fp, cohort.negatives], TN: [cohort.negatives - fp, cohort.negatives] };
    for (const [key, [n, of]] of Object.entries(found)) put(cells[key][0], group(n)), put(cells[key][1], of ? pct(n / of) : "");
  } };
}

// ---------------------------------------------------------------- the widgets

/** What happens to a thousand people, in words, with a PPV that is hard to overlook. */
function sentencePanel(have) {
  const bold = () => make("b", {}, "–"), [ill, found, missed, alarms, well, ppv] = [0, 0, 0, 0, 0, 0].map(bold), interval = make("small", {}, ""), who = make("span", {}, have || "");
  const first = make("p", {}, "Of 1,000 people ", ill, " ", who, ". The network finds ", found, " of them and misses ", missed, "; it also calls ", alarms, " of the ", well, " others.");
  const rare = make("p", { class: "cxr-rare" }, ""), big = make("p", { class: "cxr-big" }, ppv, make("span", {}, "of those called are right"), interval);
  return {
    node: make("div", { class: "cxr-sentence" }, big, make("div", {}, first, rare)),
    update(people, prevalence, rates, words) {
      if (words) put(who, words);
      const show = (key) => (people ? group(people[key]) : "–");
      put(ill, people ? group(people.TP + people.FN) : "–"), put(found, show("TP")), put(missed, show("FN")), put(alarms, show("FP")), put(well, people ? group(people.FP + people.TN) : "–");
      put(ppv, pct(rates.ppv_at[0])), put(interval, Number.isNaN(rates.ppv_at[1]) ? "" : `PPV, 95 % interval ${ends(rates.ppv_at, pct)}`);
      const more = people && prevalence < 0.01 ? natural(rates.sensitivity[0], rates.specificity[0], prevalence, 100000) : null;
      put(rare, more ? `In 100,000 people ${group(more.TP + more.FN)} ${who.textContent}: ${group(more.TP)} found, ${group(more.FN)} missed, ${group(more.FP)} called falsely.` : "");
    },
    text: () => `${first.textContent} PPV ${ppv.textContent}.`,
  };
}

const head = (words, ...more) => make("div", { class: "cxr-h" }, make("b", {}, words), ...more);
const worth = () => head("What its word is worth", make("div", { class: "cxr-names" }, make("span", { class: "cxr-swatch cxr-pos" }, "PPV"), make("span", { class: "cxr-swatch cxr-neg" }, "NPV")));
const chips = (className = "") => make("div", { class: `cxr-chips ${className}`, role: "group" });
const chip = (text, press, title) => make("button", { type: "button", "aria-pressed": "false", title, onclick: press }, text);
const press = (buttons, value) => buttons.forEach(([button, own]) => button.setAttribute("aria-pressed", String(own === value)));
const number = (text, low, high) => { const x = parseFloat(String(text).replace(",", ".").replace("−", "-")); return x >= low && x <= high ? x : undefined; };
/** Run fn once things have been quiet for a while. */
function quiet(fn, ms) { let timer; return () => { clearTimeout(timer), (timer = setTimeout(fn, ms)); }; }
function follow(model, keys, fn) {
  for (const key of keys) model.on(`change:${key}`, fn);
  return () => keys.forEach((key) => model.off(`change:${key}`, fn));
}
/** Draw again when the width changes. */
function watch(el, fn) {
  let width = 0;
  const observer = new ResizeObserver(() => { if (el.clientWidth && el.clientWidth !== width) (width = el.clientWidth), fn(); });
  observer.observe(el);
  return () => observer.disconnect();
}

/** Images of a run that are in the subgroup, as a cohort of one class against the rest. */
export function cohortOf(run, cls, subgroup = {}, keepOthers = false) {
  const which = run.classes.indexOf(cls), wanted = run.groups.filter((g) => g.values.includes(held(subgroup, g.name))).map((g) => [g.codes, g.values.indexOf(subgroup[g.name])]), kept = [];
  for (let i = 0; i < run.y.length; i++) if ((keepOthers && run.y[i] !== which) || wanted.every(([codes, code]) => codes[i] === code)) kept.push(i);
  const score = kept.map((i) => run.p[which][i]), other = run.p.length === 2 ? kept.map((i) => run.p[1 - which][i]) : [];
  const derived = other.length && score.every((x, j) => x === 1 - other[j]) && other.some((x, j) => x !== 1 - score[j]); // cxrlib.metrics.predictions.order_of
  return new Cohort(score, kept.map((i) => +(run.y[i] === which)), kept.map((i) => run.patient[i]), derived ? other.map((x) => -x) : score);
}

/** ROC vertices as far apart as can be seen: false and true positive rate, threshold. */
function vertices(cohort) {
  const { positives, negatives, tp, fp } = cohort, found = [{ f: 0, s: 0, t: 1 }];
  if (!positives || !negatives) return [];
  for (const [t, k] of cohort.cuts()) {
    const last = found[found.length - 1], f = fp[k] / negatives, s = tp[k] / positives;
    if (Math.abs(f - last.f) + Math.abs(s - last.s) >= 0.004 || k === cohort.n) found.push({ f, s, t });
  }
  return found;
}

const ppvOf = (s, f, p) => s * p / (s * p + f * (1 - p));
/** What a sensitivity and specificity as printed, [value, low, high] by rounding, say of the PPV at a prevalence. */
const printedPpv = ({ sensitivity: s, specificity: c }, p) => [0, 1, 2].map((i) => ppvOf(s[i], 1 - c[i], p));

function explorer({ model, el }) {
  const data = model.get("data"), runs = decode(data), set = (values) => { for (const key in values) model.set(key, values[key]); model.save_changes(); };
  let run, cls, cohort, scale, corners, found, marks = [], preset = {};
  const toThreshold = (u) => set({ threshold: neat(scale.from(u)) }), toPrevalence = (u) => set({ prevalence: clamp(+PREVALENCE.from(u).toPrecision(3), LOW, HIGH) });
  const nearest = (score) => { let best; for (const c of corners) { const d = score(c); if (!best || d < best[0]) best = [d, c.t]; } if (best) set({ threshold: best[1] }); };
  const scores = scoresPanel(toThreshold), people = peoplePanel(), curve = prevalencePanel(toPrevalence), sentence = sentencePanel();
  const roc = planePanel("roc", (u, v) => nearest(({ f, s }) => (f - u) ** 2 + (s - v) ** 2));
  const pr = planePanel("pr", (u, v) => nearest(({ f, s }) => (s - u) ** 2 + ((ppvOf(s, f, model.get("prevalence")) || 0) - v) ** 2));
  const table = readingsPanel(), matrix = matrixPanel(), note = make("p", { class: "cxr-note", hidden: true }), live = make("p", { class: "cxr-live", role: "status" });
  const cut = slider("Threshold", "", { onSlide: toThreshold, within: [0, 1], onType: (t) => set({ threshold: t }) });
  const prior = slider("Prevalence", " %", { onSlide: toPrevalence, within: [100 * LOW, 100 * HIGH], onType: (p) => set({ prevalence: p / 100 }) });
  const choices = make("div", { class: "cxr-choices" }), presetChips = chips(), costChips = chips(), markChips = chips(), scaleChip = chip("", () => set({ scale: scale.name === "logit" ? "linear" : "logit" }));
  const cost = make("input", { type: "text", inputmode: "decimal", size: 3, value: model.get("cost"), "aria-label": "False alarms that a miss is worth", onchange: (e) => { const c = number(e.target.value, 0.001, 1e6); c ? set({ cost: c }) : (e.target.value = model.get("cost")); } });
  const key = make("p", { class: "cxr-key" });
  const say = quiet(() => put(live, cohort.positives && cohort.negatives ? sentence.text() : note.textContent), 600);
  const tell = (text, seconds = 3) => { put(live, text), put(told, text), setTimeout(() => put(told, ""), 1000 * seconds); }, told = make("span", { class: "cxr-told", "aria-hidden": "true" });
  const tools = make("div", { class: "cxr-chips cxr-tools" }, chip("Copy the numbers as CSV", () => copy(csv(), "Numbers copied.")), chip("Save the figures as SVG", saveSvg));
  if (model.link) tools.append(chip("Copy a link to this view", () => copy(model.link(), "Link copied.")));
  tools.append(told);
  tools.querySelectorAll("button").forEach((button) => button.removeAttribute("aria-pressed"));
  const keep = make("input", { type: "checkbox", onchange: (e) => set({ keep_others: e.target.checked }) }), keepBox = make("label", { class: "cxr-keep" }, keep, make("span"));
  el.append(make("div", { class: "cxr-in" }, choices, keepBox, note, make("div", { class: "cxr-grid-main" },
    make("section", { class: "cxr-a", "aria-label": "Threshold" }, head("What the network says", scores.legend), scores.chart.figure, cut.node, presetChips, costChips),
    make("section", { class: "cxr-b", "aria-label": "People" }, sentence.node, people.figure),
    make("section", { class: "cxr-c", "aria-label": "Prevalence" }, worth(), curve.chart.figure, prior.node, markChips)),
  make("div", { class: "cxr-grid-more" }, make("section", {}, head("ROC curve"), roc.chart.figure), make("section", {}, head("Precision–recall, at this prevalence"), pr.chart.figure), make("section", { class: "cxr-m" }, matrix.node, key)),
  table.node, tools, live));

  function choose() {
    const subgroup = model.get("subgroup"), narrow = [], fields = [select("Run", runs.map((r) => [r.name, r.title]), run.name, (name) => set({ run: name })),
      select("Called positive", run.classes.map((c, i) => [c, run.labels[i]]), cls, (name) => set({ positive_class: name }))];
    for (const g of run.groups) narrow.push(select(g.label, [["", "all"], ...g.values.map((v) => [v, v])], held(subgroup, g.name) || "", (value) => {
      const next = { ...model.get("subgroup"), [g.name]: value };
      if (!value) delete next[g.name];
      set({ subgroup: next });
    }));
    const place = [...choices.querySelectorAll("select")].indexOf(document.activeElement);
    choices.replaceChildren(make("div", {}, ...fields), make("div", { hidden: !narrow.length }, ...narrow));
    if (place >= 0) choices.querySelectorAll("select")[place]?.focus();
  }

  function configure() {
    run = runs.find((r) => r.name === model.get("run")) || runs[0], cls = run.classes.includes(model.get("positive_class")) ? model.get("positive_class") : run.classes[0];
    const narrowed = run.groups.some((g) => g.values.includes(held(model.get("subgroup"), g.name))), label = run.labels[run.classes.indexOf(cls)], rest = run.classes.length === 2 ? run.labels[1 - run.classes.indexOf(cls)] : `not ${label}`;
    cohort = cohortOf(run, cls, model.get("subgroup"), model.get("keep_others")), corners = vertices(cohort);
    const saturated = cohort.score.filter((t) => t < 0.02 || t > 0.98).length > cohort.n / 2, kind = model.get("scale") === "auto" ? (saturated ? "logit" : "linear") : model.get("scale");
    scale = { name: kind, ...SCALES[kind](cohort) };
    choose();
    keep.checked = model.get("keep_others"), keepBox.hidden = !narrowed, put(keepBox.lastChild, ` narrow ${label} only, and keep all images of ${rest}`);
    const lacks = !cohort.positives ? label : !cohort.negatives ? rest : "";
    note.hidden = !lacks;
    put(note, lacks && `No image of ${lacks} is in this subgroup, so what needs both sides is left blank. The subgroup alone tells the classes of this set apart: whatever shows it in the picture can stand in for the disease.`);
    const own = cohort.n && lacks === "" ? cohort.positives / cohort.n : undefined, ownMark = own ? [{ value: clamp(+own.toPrecision(4), LOW, HIGH), label: "these images" }] : [];
    marks = [...data.marks, ...ownMark].map(({ value, label: text }) => ({ value, label: `${+(100 * value).toPrecision(3)} % (${text})` }));
    markChips.replaceChildren(...marks.map((m) => chip(m.label, () => set({ prevalence: m.value }))));
    const printed = held(run.printed, cls);
    put(key, `● at this threshold, the bars its 95 % intervals; click or drag along a curve.${printed ? ` ★ as printed: sensitivity ${printed.text[0]}, specificity ${printed.text[1]}; the box and the bar in the prevalence chart are what rounding leaves open.` : ""}`);
    matrix.configure(label, rest), people.size(), layout(label, rest);
  }

  function layout(label = run.labels[run.classes.indexOf(cls)], rest = run.classes.length === 2 ? run.labels[1 - run.classes.indexOf(cls)] : `not ${label}`) {
    for (const panel of [roc, pr]) panel.chart.size();
    people.size(), scores.configure(cohort, scale, label, rest), curve.configure(marks);
    roc.curve(corners.map(({ f, s }) => [f, s]), 0);
    const printed = held(run.printed, cls);
    roc.printed(printed && [[0, 2, 1].map((i) => 1 - printed.specificity[i]), printed.sensitivity]);
    update();
  }

  /** Thresholds of the presets; that of the cost ratio moves with the prevalence. */
  function offer() {
    const printed = held(run.printed, cls), p = model.get("prevalence"), all = presets(cohort, p, printed && printed.sensitivity[0], model.get("cost"));
    const words = { half: "One half", printed: `As the study: ${printed && printed.text[0]}`, youden: "Youden, on these images", sensitivity: "95 % sensitivity", cost: "Cheapest" };
    const why = { printed: "Highest threshold that reaches the sensitivity the study prints", youden: "Largest sum of sensitivity and specificity in the images shown: chosen on the images that it is judged on", sensitivity: "Highest threshold with a sensitivity of at least 95 %", cost: "Least expected cost at this prevalence" };
    if (Object.keys(all).join() !== presetChips.dataset.has) {
      presetChips.dataset.has = Object.keys(all).join(), preset = {};
      for (const name in all) preset[name] = { button: chip("", () => set({ threshold: preset[name].value }), why[name]) };
      presetChips.replaceChildren(...Object.keys(all).filter((name) => name !== "cost").map((name) => preset[name].button), scaleChip);
      costChips.replaceChildren(...(preset.cost ? [preset.cost.button, make("label", { class: "cxr-cost" }, "if a miss costs", cost, "false alarms")] : []));
    }
    for (const name in all) preset[name].value = all[name], put(preset[name].button, words[name]);
    put(scaleChip, scale.name === "logit" ? "Axis: log odds" : "Axis: probability");
  }

  let was = {};
  function update() {
    const t = model.get("threshold"), p = model.get("prevalence"), c = model.get("cost"), k = cohort.count(t), now = { t, p, c, cohort, scale, w: pr.chart.w };
    found = reading(cohort, t, p);
    const known = cohort.positives && cohort.negatives, counts = known ? natural(found.sensitivity[0], found.specificity[0], p) : null, printed = held(run.printed, cls);
    if (was.p !== now.p || was.cohort !== cohort || was.c !== c || was.scale !== scale) offer();
    if (was.p !== now.p || was.cohort !== cohort || was.w !== now.w) {
      pr.curve(corners.filter(({ f, s }) => s + f > 0).map(({ f, s }) => [s, ppvOf(s, f, p)]), p);
      const ppv = printed && printedPpv(printed, p);
      pr.printed(known && ppv && !ppv.some(Number.isNaN) && [printed.sensitivity, ppv]);
    }
    if (was.t !== now.t || was.cohort !== cohort || was.w !== now.w) {
      scores.update(String(t), scale.to(t)), matrix.update(cohort, k), roc.update([0, 2, 1].map((i) => 1 - found.specificity[i]), found.sensitivity), curve.curves(found.lr_positive, found.lr_negative);
    }
    pr.update(found.sensitivity, found.ppv_at), curve.update(p, found.ppv_at, found.npv_at, printed && printedPpv(printed, p));
    people.figure.style.visibility = sentence.node.style.visibility = counts ? "" : "hidden"; // they keep their place
    people.update(counts), sentence.update(counts, p, found, run.have[run.classes.indexOf(cls)]), table.update(found, cohort.n, p);
    cut.set(scale.to(t), String(t), `threshold ${t}`), prior.set(PREVALENCE.to(p), String(+(100 * p).toPrecision(6)), `prevalence ${pct(p)}`);
    press(Object.values(preset).map(({ button, value }) => [button, value]), t), press([...markChips.children].map((button, i) => [button, marks[i].value]), p);
    was = now, say();
  }

  function csv() {
    const safe = (x) => { const text = String(x); return /[",\n\r]|^[=+\-@\t]/.test(text) && Number.isNaN(Number(text)) ? `"${/^[=+\-@\t]/.test(text) ? "'" : ""}${text.replace(/"/g, '""')}"` : text; };
    const t = model.get("threshold"), p = model.get("prevalence"), k = cohort.count(t), sub = run.groups.filter((g) => held(model.get("subgroup"), g.name)).map((g) => `${g.name}=${held(model.get("subgroup"), g.name)}`).join("; ");
    const head = [run.name, cls, sub, t, p], blank = (x) => (Number.isNaN(x) ? "" : x), rows = [["run", "positive_class", "subgroup", "threshold", "prevalence", "measure", "estimate", "low", "high"]];
    for (const [name, n] of [["TP", cohort.tp[k]], ["FN", cohort.positives - cohort.tp[k]], ["FP", cohort.fp[k]], ["TN", cohort.negatives - cohort.fp[k]]]) rows.push([...head, name, n, "", ""]);
    for (const name in found) rows.push([...head, name, ...found[name].map(blank)]);
    return rows.map((row) => row.map(safe).join(",")).join("\n") + "\n";
  }

  function copy(text, done) {
    const old = () => { const area = make("textarea", {}); area.value = text, el.append(area), area.select(), document.execCommand("copy"), area.remove(), tell(done); };
    navigator.clipboard ? navigator.clipboard.writeText(text).then(() => tell(done), old) : old();
  }

  function saveSvg() {
    const charts = [scores.chart.svg, curve.chart.svg, people.svg, roc.chart.svg, pr.chart.svg], sheet = make("svg", { xmlns: "http://www.w3.org/2000/svg" }), gap = 24;
    let y = 56, x = gap, row = 0, wide = 0;
    sheet.append(make("text", { x: gap, y: 24, "font-weight": "bold" }, `${run.title}: ${run.labels[run.classes.indexOf(cls)]}, threshold ${model.get("threshold")}`), make("text", { x: gap, y: 44 }, sentence.text()));
    charts.forEach((svg, i) => {
      const { width, height } = svg.getBoundingClientRect(), twin = svg.cloneNode(true);
      if (i === 2 || i === 3) y += row + gap, x = gap, row = 0;
      for (const [name, value] of [["x", x], ["y", y], ["width", width], ["height", height]]) twin.setAttribute(name, value);
      const from = [svg, ...svg.querySelectorAll("*")], to = [twin, ...twin.querySelectorAll("*")]; // styles live in the page: take them along
      from.forEach((node, j) => { const style = getComputedStyle(node); for (const name of ["fill", "stroke", "stroke-width", "stroke-dasharray", "fill-opacity", "opacity", "display", "font-size", "font-weight", "paint-order", "stroke-linejoin"]) to[j].style.setProperty(name, style.getPropertyValue(name)); });
      if (svg === people.svg) to[0].style.overflow = "hidden";
      sheet.append(twin), (x += width + gap), (row = Math.max(row, height)), (wide = Math.max(wide, x));
    });
    const style = getComputedStyle(el.firstChild), height = y + row + gap;
    for (const [name, value] of [["width", wide], ["height", height], ["viewBox", `0 0 ${wide} ${height}`], ["font-family", style.fontFamily], ["font-size", "13"], ["fill", style.color]]) sheet.setAttribute(name, value);
    sheet.prepend(make("rect", { width: "100%", height: "100%", fill: getComputedStyle(el.firstChild).backgroundColor }));
    const url = URL.createObjectURL(new Blob([new XMLSerializer().serializeToString(sheet)], { type: "image/svg+xml" }));
    make("a", { href: url, download: `${run.name.replace(/[^\w-]+/g, "-")}-${model.get("threshold")}.svg` }).click();
    setTimeout(() => URL.revokeObjectURL(url), 1000), tell("Figures saved.");
  }

  configure();
  if (model.link) (model.heard = () => { if (model.doubt) tell(model.doubt, 12); })();
  const undo = [follow(model, ["run", "positive_class", "subgroup", "keep_others", "scale"], configure), follow(model, ["threshold", "prevalence", "cost"], update), watch(el, () => layout())];
  return () => undo.forEach((fn) => fn());
}

/** PPV alone: a sensitivity and a specificity, and a prevalence to move. */
function ppv({ model, el }) {
  const { sensitivity, specificity, marks, have } = model.get("data"), [lr_positive, lr_negative] = likelihood(sensitivity, specificity);
  const set = (p) => { model.set("prevalence", clamp(p, LOW, HIGH)), model.save_changes(); }, slide = (u) => set(+PREVALENCE.from(u).toPrecision(3));
  const curve = prevalencePanel(slide), people = peoplePanel(), sentence = sentencePanel(have), live = make("p", { class: "cxr-live", role: "status" });
  const prior = slider("Prevalence", " %", { onSlide: slide, within: [100 * LOW, 100 * HIGH], onType: (p) => set(p / 100) });
  const named = marks.map((m) => ({ ...m, label: `${+(100 * m.value).toPrecision(3)} % (${m.label})` })), buttons = named.map((m) => [chip(m.label, () => set(m.value)), m.value]), row = chips(), say = quiet(() => put(live, sentence.text()), 600);
  row.append(...buttons.map(([button]) => button));
  el.append(make("div", { class: "cxr-in" }, make("div", { class: "cxr-grid-main cxr-pair" }, make("section", { "aria-label": "Prevalence" }, worth(), curve.chart.figure, prior.node, row), make("section", { "aria-label": "People" }, sentence.node, people.figure)), live));
  function update() {
    const p = model.get("prevalence"), counts = natural(sensitivity[0], specificity[0], p), [up, down] = atPrevalence(lr_positive, lr_negative, p);
    curve.update(p, up, down), people.update(counts), sentence.update(counts, p, { sensitivity, specificity, ppv_at: up });
    prior.set(PREVALENCE.to(p), String(+(100 * p).toPrecision(6)), `prevalence ${pct(p)}`), press(buttons, p), say();
  }
  const layout = () => { curve.configure(named), people.size(), curve.curves(lr_positive, lr_negative), update(); };
  layout();
  const undo = [follow(model, ["prevalence"], update), watch(el, layout)];
  return () => undo.forEach((fn) => fn());
}

/** ROC curves of two runs with one threshold on both. */
function rocs({ model, el }) {
  const data = model.get("data"), runs = decode(data), set = (values) => { for (const key in values) model.set(key, values[key]); model.save_changes(); };
  const chart = planePanel("roc"), second = planePanel("roc"), toThreshold = (u) => set({ threshold: neat(u) });
  second.chart.front.setAttribute("class", "cxr-second"), chart.chart.svg.append(second.chart.front);
  const cut = slider("Threshold, of both", "", { onSlide: toThreshold, within: [0, 1], onType: (t) => set({ threshold: t }) });
  const choices = make("div", { class: "cxr-choices" }), measures = [["sensitivity", "Sensitivity", pct], ["specificity", "Specificity", pct], ["auc", "AUC", (x) => (Number.isNaN(x) ? "–" : x.toFixed(3))]], cells = [];
  const heads = ["solid", "dashed"].map((name) => make("th", { scope: "col", class: `cxr-key-${name}` }, ""));
  const body = measures.map(([name, words, show]) => make("tr", {}, make("th", { scope: "row" }, words), ...[0, 1].map((i) => { const value = make("b", {}, "–"), interval = make("span", {}, ""); cells.push([i, name, value, interval, show]); return make("td", {}, value, " ", interval); })));
  el.append(make("div", { class: "cxr-in" }, choices, make("div", { class: "cxr-grid-main cxr-pair" }, make("section", {}, chart.chart.figure),
    make("section", {}, cut.node, make("table", { class: "cxr-readings" }, make("caption", {}, "Both runs at this threshold, with 95 % intervals"), make("thead", {}, make("tr", {}, make("th", { scope: "col" }, "Measure"), ...heads)), make("tbody", {}, ...body))))));
  let pair = [];
  function configure() {
    const chosen = ["run", "other"].map((key, i) => runs.find((r) => r.name === model.get(key)) || runs[Math.min(i, runs.length - 1)]), options = runs.map((r) => [r.name, r.title]);
    pair = chosen.map((r) => cohortOf(r, r.classes.includes(model.get("positive_class")) ? model.get("positive_class") : r.classes[0]));
    choices.replaceChildren(make("div", {}, select("First run", options, chosen[0].name, (run) => set({ run })), select("Second run", options, chosen[1].name, (other) => set({ other }))));
    heads.forEach((head, i) => put(head, chosen[i].title));
    layout();
  }
  function layout() {
    chart.chart.size(), Object.assign(second.chart, { w: chart.chart.w, h: chart.chart.h });
    [chart, second].forEach((panel, i) => { panel.curve(vertices(pair[i]).map(({ f, s }) => [f, s]), 0), panel.printed(null); });
    update();
  }
  function update() {
    const t = model.get("threshold"), found = pair.map((cohort) => reading(cohort, t, 0.5));
    [chart, second].forEach((panel, i) => panel.update([0, 2, 1].map((j) => 1 - found[i].specificity[j]), found[i].sensitivity));
    for (const [i, name, value, interval, show] of cells) put(value, show(found[i][name][0])), put(interval, ends(found[i][name], show));
    cut.set(t, String(t), `threshold ${t}`);
  }
  configure();
  const undo = [follow(model, ["run", "other", "positive_class"], configure), follow(model, ["threshold"], update), watch(el, layout)];
  return () => undo.forEach((fn) => fn());
}

/** A class-activation map over a picture, and its opacity to move. */
function cam({ model, el }) {
  const { heat, picture, width, height, label } = model.get("data"), map = make("img", { src: heat, alt: label });
  const stack = make("div", { class: "cxr-cam" }, make("img", { src: picture, alt: "" }), map);
  stack.style.aspectRatio = `${width} / ${height}`;
  const opacity = slider("Opacity of the map", " %", { onSlide: (u) => set(u), within: [0, 100], onType: (x) => set(x / 100) });
  const set = (x) => { model.set("opacity", x), model.save_changes(); };
  const update = () => { const x = model.get("opacity"); (map.style.opacity = x), opacity.set(x, String(Math.round(100 * x)), `${Math.round(100 * x)} %`); };
  el.append(make("div", { class: "cxr-in" }, make("figure", { class: "cxr-figure" }, stack), opacity.node));
  update();
  return follow(model, ["opacity"], update);
}

const WIDGETS = { explorer, ppv, rocs, cam };
function render({ model, el }) {
  el.classList.add("cxr");
  return WIDGETS[model.get("kind")]({ model, el });
}
export default { render };

// ---------------------------------------------------------------- the published page

/** A model without a kernel: what the widgets ask of anywidget's. */
class Model {
  constructor(state) { this.state = state, this.on_change = {}; }
  get(key) { return this.state[key]; }
  set(key, value) { if (this.state[key] !== value) (this.state[key] = value), (this.on_change[`change:${key}`] || []).slice().forEach((fn) => fn()); }
  on(event, fn) { (this.on_change[event] ||= []).push(fn); }
  off(event, fn) { this.on_change[event] = (this.on_change[event] || []).filter((other) => other !== fn); }
  save_changes() { this.saved?.(); }
}

const MARK = "#explorer:";
/** The address's end; letters and programs that pass a link on write its colon, or all of its signs, as %3A and so on. */
function plainHash() {
  const hash = location.hash.replace(/^#explorer(%3A|:)/i, MARK);
  try { return hash.startsWith(MARK) && !hash.includes("=") ? decodeURIComponent(hash) : hash; } catch { return hash; }
}
/** Keep the state in the address, so that a view can be passed on; what the address does not say stays as Python set it. */
function address(model, el) {
  const { runs } = model.get("data"), initial = { ...model.state }, plain = ["run", "positive_class", "scale"], numbers = { threshold: [0, 1], prevalence: [LOW, HIGH], cost: [0.001, 1e6] };
  model.link = () => {
    const said = new URLSearchParams();
    for (const key of [...plain, ...Object.keys(numbers)]) if (model.get(key) !== initial[key] || key === "run") said.set(key, Object.hasOwn(numbers, key) ? +model.get(key).toPrecision(12) : model.get(key));
    for (const [name, value] of Object.entries(model.get("subgroup"))) said.set(`in-${name}`, value);
    if (model.get("keep_others")) said.set("keep_others", "1");
    return `${location.href.split("#")[0]}${MARK}${said}`;
  };
  const read = () => {
    const hash = plainHash();
    if (!hash.startsWith(MARK)) return false;
    const said = new URLSearchParams(hash.slice(MARK.length)), next = { ...initial, keep_others: said.get("keep_others") === "1" };
    const run = runs.find((r) => r.name === said.get("run")) || runs.find((r) => r.name === initial.run);
    next.run = run.name, next.positive_class = [said.get("positive_class"), initial.positive_class].find((c) => run.classes.includes(c)) || run.classes[0];
    if (["auto", "linear", "logit"].includes(said.get("scale"))) next.scale = said.get("scale");
    for (const [key, [low, high]] of Object.entries(numbers)) { const x = said.has(key) ? Number(said.get(key) || NaN) : initial[key]; next[key] = x >= low && x <= high ? x : initial[key]; }
    next.subgroup = Object.fromEntries(run.groups.map((g) => [g.name, said.get(`in-${g.name}`), g.values]).filter(([, value, values]) => values.includes(value)));
    for (const key in next) model.set(key, next[key]);
    const meant = (key) => (key.startsWith("in-") ? held(next.subgroup, key.slice(3)) === said.get(key) : Object.hasOwn(numbers, key) ? next[key] === Number(said.get(key) || NaN) : key === "keep_others" || (plain.includes(key) && next[key] === said.get(key)));
    const odd = [...said.keys()].filter((key) => !meant(key)).map((key) => `${key} ${said.get(key)}`.slice(0, 60));
    model.doubt = odd.length ? `Passed over in the link, since nothing here is called so: ${odd.join(", ")}.` : "";
    model.heard?.();
    return true;
  };
  const show = () => el.scrollIntoView({ block: "start" });
  if (read() && performance.getEntriesByType("navigation")[0]?.type === "navigate") requestAnimationFrame(show); // not where a reader reloads
  model.saved = quiet(() => history.replaceState(null, "", model.link()), 400);
  addEventListener("hashchange", () => { if (read()) show(); });
}

/** Bring every widget of the page to life that is not yet: what the embedded module ends with. */
export function hostAll() {
  for (const el of document.querySelectorAll(".cxr-host:not([data-live])")) {
    el.dataset.live = "yes";
    const model = new Model(JSON.parse(el.querySelector("script[type='application/json']").textContent)), place = make("div");
    el.append(place);
    if (model.get("share")) address(model, el);
    render({ model, el: place });
    el.classList.add("cxr-alive");
  }
}
