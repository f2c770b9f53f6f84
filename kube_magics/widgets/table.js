// The table of the dashboard. Text from jobs reaches the page as text alone: textContent, never HTML.

const DONE = { succeeded: "✓", failed: "✗", stopped: "■" };
const SIGNS = { ...DONE, running: "▶", pending: "…", suspended: "‖", incomplete: "!" };

function make(tag, properties = {}, ...children) {
  const { role, label, ...rest } = properties;
  const node = Object.assign(document.createElement(tag), rest);
  if (role) node.setAttribute("role", role);
  if (label) node.setAttribute("aria-label", label);
  // Else JupyterLab takes its keys: in its command mode `d d` deletes the cell. It looks at what has the focus, not around it.
  if (node.tabIndex >= 0) node.setAttribute("data-lm-suppress-shortcuts", "true");
  node.append(...children);
  return node;
}

function put(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

// The table: nodes for the rows in the window alone, however many there are.
class Table {
  constructor(chose) {
    this.chose = chose;
    this.rows = [];
    this.pool = [];
    this.selected = null;
    this.id = `km-${Math.random().toString(36).slice(2)}`;
    this.heads = COLUMNS.map((column) => make("button", { className: "km-head", type: "button" }, column.title));
    this.headings = this.heads.map((button) => make("div", { role: "columnheader" }, button));
    this.space = make("div", { className: "km-space", role: "presentation" });
    this.body = make("div", { className: "km-body", tabIndex: 0, role: "rowgroup", label: "Jobs" }, this.space);
    const head = make("div", { className: "km-line km-headline", role: "row" }, ...this.headings);
    this.node = make("div", { className: "km-table", role: "grid", label: "Jobs" }, head, this.body);
    this.node.style.setProperty("--km-columns", COLUMNS.map((column) => column.width).join(" "));
    this.body.addEventListener("scroll", () => this.paint(this.now()));
    this.body.addEventListener("click", (event) => {
      const line = event.target.closest(".km-row");
      if (line) this.select(line.dataset.name, true);
    });
    this.body.addEventListener("keydown", (event) => this.key(event));
  }

  now() {
    return 0;
  }

  show(rows, sort, now) {
    this.rows = rows;
    this.space.style.height = `${rows.length * ROW_PX}px`;
    this.node.setAttribute("aria-rowcount", String(rows.length + 1));
    COLUMNS.forEach((column, at) => {
      const sorted = column.key === sort.key ? (sort.down ? "descending" : "ascending") : "none";
      this.headings[at].setAttribute("aria-sort", sorted);
    });
    this.paint(now);
  }

  paint(now) {
    const [first, end] = windowOf(this.rows.length, this.body.scrollTop, this.body.clientHeight || 320);
    while (this.pool.length < end - first) this.pool.push(this.line());
    let active = "";
    this.pool.forEach((line, at) => {
      const row = this.rows[first + at];
      const used = first + at < end;
      line.node.hidden = !used;
      if (!used) return;
      this.fill(line, row, first + at, now);
      if (row.name === this.selected) active = line.node.id;
    });
    this.body.setAttribute("aria-activedescendant", active);
  }

  line() {
    const cells = COLUMNS.map((column) => make("div", { className: `km-cell km-${column.key}`, role: "gridcell" }));
    const node = make("div", { className: "km-line km-row", role: "row", id: `${this.id}-${this.pool.length}` }, ...cells);
    this.space.append(node);
    return { node, cells };
  }

  fill({ node, cells }, row, at, now) {
    node.style.transform = `translateY(${at * ROW_PX}px)`;
    node.dataset.name = row.name;
    node.dataset.status = SIGNS[row.status] ? row.status : "";
    node.setAttribute("aria-rowindex", String(at + 2));
    node.setAttribute("aria-selected", String(row.name === this.selected));
    COLUMNS.forEach(({ key }, number) => {
      const text = cell(row, key, now);
      put(cells[number], key === "status" ? `${SIGNS[row.status] ?? "?"} ${text}` : text);
      if (["name", "why", "notebook"].includes(key)) cells[number].title = key === "notebook" ? `${row.notebook} ${row.cell}` : text;
    });
  }

  select(name, open) {
    this.selected = name;
    this.chose(name, open);
  }

  key(event) {
    const at = this.rows.findIndex((row) => row.name === this.selected);
    const page = Math.max(1, Math.floor(this.body.clientHeight / ROW_PX) - 1);
    const last = this.rows.length - 1;
    const moves = { ArrowDown: at + 1, ArrowUp: at < 0 ? 0 : at - 1, Home: 0, End: last, PageDown: at + page, PageUp: at - page };
    if (event.key === "Enter" && at >= 0) this.select(this.selected, true);
    else if (event.key === "Escape") this.select(null, true);
    else if (event.key in moves && last >= 0 && !event.ctrlKey && !event.metaKey && !event.altKey) {
      const to = Math.max(0, Math.min(last, moves[event.key]));
      this.reveal(to);
      this.select(this.rows[to].name, false);
    } else return;
    event.preventDefault();
  }

  reveal(at) {
    const top = at * ROW_PX;
    if (top < this.body.scrollTop) this.body.scrollTop = top;
    else if (top + ROW_PX > this.body.scrollTop + this.body.clientHeight) {
      this.body.scrollTop = top + ROW_PX - this.body.clientHeight;
    }
  }
}
