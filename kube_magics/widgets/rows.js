// The rows of the dashboard, their order and their words. Knows no page: tests run it without one.

export const COLUMNS = [
  { key: "name", title: "Name", width: "minmax(8em, 2fr)", rank: (row) => row.name.toLowerCase() },
  { key: "status", title: "Status", width: "minmax(8em, 1fr)", rank: (row) => row.shown },
  { key: "why", title: "Progress, or why", width: "minmax(10em, 3fr)", rank: (row) => at(row).toLowerCase() },
  { key: "gpus", title: "GPUs", width: "4em", rank: (row) => row.gpus, down: true },
  { key: "use", title: "GPU use", width: "6.5em", rank: (row) => row.gpu_percent, down: true },
  { key: "age", title: "Age", width: "7em", rank: (row) => row.created_at, down: true },
  { key: "took", title: "Took", width: "7em", rank: (row, now) => took(row, now), down: true },
  { key: "node", title: "Node", width: "minmax(4.5em, 1fr)", rank: (row) => row.node.toLowerCase() },
  { key: "notebook", title: "Notebook", width: "minmax(7em, 2fr)", rank: (row) => origin(row).toLowerCase() },
];

// What was told so far. A version that does not follow ours means that something was missed.
export class Rows {
  constructor() {
    this.version = null;
    this.byName = new Map();
  }

  // Whether all is known: false asks for the whole.
  take(delta) {
    if (delta.version === undefined) return true;
    if (delta.since === null) {
      if (this.version === delta.version && this.byName.size === delta.rows.length) return true;
      this.byName = new Map(delta.rows.map((row) => [row.name, row]));
    } else if (this.version !== delta.since) {
      return this.version !== null && delta.version <= this.version;
    } else {
      for (const name of delta.gone) this.byName.delete(name);
      for (const row of delta.rows) this.byName.set(row.name, row);
    }
    this.version = delta.version;
    return true;
  }
}

// Rows that have all words of `filter` somewhere (`-word`: nowhere, `status:failed`: in that column), in order.
export function chosen(rows, filter, mine, sort, now) {
  const words = filter.toLowerCase().split(/\s+/).filter(Boolean).map(wordOf);
  const kept = [];
  for (const row of rows) if ((!mine || row.mine) && words.every((word) => fits(row, word))) kept.push(row);
  const column = COLUMNS.find((each) => each.key === sort.key);
  const ranks = new Map(kept.map((row) => [row, column.rank(row, now)]));
  const turn = sort.down ? -1 : 1;
  return kept.sort((one, other) => compare(ranks.get(one), ranks.get(other), turn) || (one.name < other.name ? -1 : 1));
}

// What is unknown comes last, whichever way.
function compare(one, other, turn) {
  const none = (value) => value === null || value === undefined || value === "";
  if (none(one) || none(other)) return none(one) - none(other);
  return one < other ? -turn : one > other ? turn : 0;
}

function wordOf(text) {
  const not = text.length > 1 && text.startsWith("-");
  const [, key, word] = /^(?:([a-z]+):)?(.*)$/s.exec(not ? text.slice(1) : text);
  return COLUMNS.some((each) => each.key === key) ? { not, key, word } : { not, key: "", word: text.slice(not ? 1 : 0) };
}

function fits(row, { not, key, word }) {
  const texts = key ? [cell(row, key, 0)] : [row.name, row.shown, at(row), row.node, row.notebook, row.cell];
  return texts.some((text) => text.toLowerCase().includes(word)) !== not;
}

// What a cell says; `now` in seconds since the epoch, by the clock of the kernel. One line, and nothing for a terminal.
export function cell(row, key, now) {
  return String(said(row, key, now)).replace(/[\x00-\x1f\x7f-\x9f]/g, " ");
}

function said(row, key, now) {
  if (key === "status") return row.shown;
  if (key === "why") return at(row);
  if (key === "use") return use(row);
  if (key === "gpus") return row.gpus ?? "?";
  if (key === "age") return row.created_at === null ? "?" : seconds(now - row.created_at);
  if (key === "took") return took(row, now) === null ? "-" : seconds(took(row, now));
  if (key === "notebook") return origin(row);
  return row[key];
}

// Why it does not run, or how far it is. Its stage goes without saying where the status says the same.
function at(row) {
  return row.why || row.progress || (row.stage === row.status ? "" : (row.stage ?? ""));
}

// Of a job without GPUs nothing; of one whose GPUs nobody hears of the curve is unknown, which the card says.
function use(row) {
  return row.gpu_percent == null ? "" : `${row.gpu_curve} ${Math.round(row.gpu_percent)} %`;
}

function took(row, now) {
  if (row.started_at === null || (row.finished_at === null && !row.live)) return null;
  return (row.finished_at ?? now) - row.started_at;
}

function origin(row) {
  const file = row.notebook.split("/").pop();
  return row.cell ? `${file} ${row.cell}` : file;
}

// Why that cannot be done to a job; empty: it can.
export function hindrance(row, what) {
  if (what === "stop") return row.live ? "" : "it has ended";
  return what === "rerun" ? row.no_rerun : "";
}

// As kube_magics writes them elsewhere, but that what is under a second is none.
export function seconds(duration) {
  const whole = Math.max(0, Math.floor(duration));
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  if (whole < 86400) return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
  return `${Math.floor(whole / 86400)} d ${Math.floor((whole % 86400) / 3600)} h`;
}

// Which rows stand in the window, and some around it: nodes are made for those alone.
export const ROW_PX = 26;
export const AROUND = 8;
export const MOST_ROWS = 200;

export function windowOf(count, scrolled, height) {
  const first = Math.max(0, Math.min(Math.floor(scrolled / ROW_PX) - AROUND, count - 1));
  const shown = Math.min(MOST_ROWS, Math.ceil(height / ROW_PX) + 2 * AROUND);
  return [first, Math.max(first, Math.min(count, first + shown))];
}
