// The dashboard in the page: filter, table and one job, of what the kernel tells.

const PASSING_MS = 200;

// Says in the page's title what has ended while nobody looked.
class Title {
  constructor() {
    this.before = null;
    this.back = () => {
      if (this.before !== null) document.title = this.before;
      this.before = null;
    };
    window.addEventListener("focus", this.back);
  }

  ended(row) {
    if (document.hasFocus()) return;
    this.before ??= document.title;
    document.title = `${DONE[row.status]} ${row.name} ${row.status} – ${this.before}`;
  }

  close() {
    this.back();
    window.removeEventListener("focus", this.back);
  }
}

function render({ model, el }) {
  const kernel = new Kernel(model, Math.random().toString(36).slice(2));
  const rows = new Rows();
  const title = new Title();
  const sort = { key: "age", down: true };
  let ahead = 0; // of this clock, the kernel's, in seconds
  let drawing = 0;
  let choosing = 0;
  const now = () => Date.now() / 1000 + ahead;
  const filter = make("input", { type: "search", className: "km-filter", placeholder: "filter: words, -word, status:failed", label: "Filter jobs" });
  const mine = make("input", { type: "checkbox" });
  const count = make("span", { className: "km-count", role: "status" });
  const where = make("span", { className: "km-where" });
  const nodes = make("button", { type: "button", className: "km-nodes" }, "Nodes");
  const free = make("pre", { className: "km-text km-free", tabIndex: 0, hidden: true, label: "Nodes" });
  const said = make("div", { className: "km-said", role: "alert" });
  const details = new Details(kernel);
  const table = new Table((name, open) => {
    const row = rows.byName.get(name) ?? null;
    // Of rows that are only passed by, nothing is asked.
    clearTimeout(choosing);
    if (open) details.open(row);
    else if (!details.node.hidden) choosing = setTimeout(() => details.open(row), PASSING_MS);
    draw();
  });
  table.now = now;

  const show = () => {
    drawing = 0;
    const found = chosen(rows.byName.values(), filter.value, mine.checked, sort, now());
    put(count, rows.version === null ? "asking …" : `${found.length} of ${rows.byName.size} jobs`);
    table.show(found, sort, now());
  };
  const draw = () => {
    drawing ||= requestAnimationFrame(show);
  };

  const unheard = "nothing is heard of the kernel: it is busy, or was restarted; then run the cell again";
  const hello = () => kernel.wish("hello", null, { busy: () => put(said, unheard), answer: () => {} });
  const told = (message) => {
    if (message.kind !== "rows") return kernel.told(message);
    ahead = message.now - Date.now() / 1000;
    put(said, message.said);
    if (message.where) put(where, message.where);
    for (const row of message.since === null || message.rows === undefined ? [] : message.rows) {
      if (!row.live && DONE[row.status] && rows.byName.get(row.name)?.live) title.ended(row);
    }
    if (!rows.take(message)) return hello();
    const open = details.row && rows.byName.get(details.row.name);
    if (open && open.identity === details.row.identity) details.refresh(open);
    draw();
  };

  nodes.setAttribute("aria-expanded", "false");
  nodes.onclick = () => {
    free.hidden = !free.hidden;
    nodes.setAttribute("aria-expanded", String(!free.hidden));
    put(free, "asking …");
    const say = (text) => put(free, text);
    if (!free.hidden) kernel.wish("nodes", null, { answer: say, error: say, busy: () => say(busy(null, "nodes")) });
  };

  COLUMNS.forEach((column, at) => {
    table.heads[at].onclick = () => {
      sort.down = sort.key === column.key ? !sort.down : Boolean(column.down);
      sort.key = column.key;
      draw();
    };
  });
  filter.oninput = mine.onchange = draw;
  const bar = make("div", { className: "km-bar" }, filter, make("label", {}, mine, " mine"), count, nodes, where);
  const root = make("div", { className: "km-dashboard" }, bar, said, free, table.node, details.node);
  el.append(root);
  model.on("msg:custom", told);
  model.on("comm_live_update", hello); // the kernel was restarted, or is there again
  const clock = setInterval(() => document.hidden || table.paint(now()), 1000);
  const sized = new ResizeObserver(draw);
  sized.observe(table.body);
  hello();
  draw();

  return () => {
    kernel.wish("bye", null, {});
    kernel.close();
    title.close();
    model.off("msg:custom", told);
    model.off("comm_live_update", hello);
    clearInterval(clock);
    clearTimeout(choosing);
    sized.disconnect();
    cancelAnimationFrame(drawing);
  };
}

export default { render };
