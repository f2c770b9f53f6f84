// One job of the dashboard from near.

const LOG_LINES = 2000; // that the page keeps
const PODS_MS = 500; // many of a job's pods may change at once
const TABS = { describe: "Details", log: "Log", pods: "Pods", events: "Events", yaml: "YAML" };

class Details {
  constructor(kernel) {
    this.kernel = kernel;
    this.row = null;
    this.tab = "describe";
    this.shown = 0;
    this.later = 0;
    this.title = make("strong", { className: "km-title" });
    this.tabs = Object.entries(TABS).map(([tab, title]) =>
      make("button", { type: "button", role: "tab", onclick: () => this.open(this.row, tab) }, title),
    );
    this.deeds = new Deeds(kernel, (row, text) => this.row?.name === row.name && this.say(text));
    this.copy = make("button", { type: "button", onclick: () => this.copied() }, "Copy");
    this.load = make("button", { type: "button", onclick: () => this.loaded() }, "Download");
    this.attach = make("button", { type: "button", onclick: () => this.attached() }, "Attach");
    this.find = make("input", { type: "search", className: "km-find", placeholder: "find", label: "Find in the log" });
    this.find.oninput = () => this.sought([...this.text.children]);
    this.says = make("div", { className: "km-says", role: "status" });
    this.text = make("pre", { className: "km-text", tabIndex: 0, role: "tabpanel" });
    this.card = make("div", { className: "km-card", role: "region", label: "Card" });
    const tabs = make("span", { role: "tablist", label: "About the job" }, ...this.tabs);
    const bar = make("div", { className: "km-bar" }, this.title, tabs, this.find, this.copy, this.load, this.attach, ...this.deeds.nodes);
    this.node = make("div", { className: "km-details", hidden: true }, bar, this.says, this.card, this.text);
  }

  // `row` null: none.
  open(row, tab = this.tab) {
    const other = row?.name !== this.row?.name || row?.identity !== this.row?.identity;
    if (this.tab === "log" && this.row) this.kernel.wish("unlog", this.row, {});
    if (other && this.row) this.kernel.wish("uncard", this.row, {});
    this.row = row;
    this.tab = tab;
    this.shown += 1;
    this.node.hidden = row === null;
    if (other) this.say("");
    if (other) this.deeds.dismiss();
    if (other && row !== null) this.look(row);
    if (row === null) return;
    put(this.title, row.name);
    Object.keys(TABS).forEach((each, at) => this.tabs[at].setAttribute("aria-selected", String(each === tab)));
    this.find.hidden = tab !== "log";
    this.refresh(row);
    this.text.replaceChildren();
    this.text.setAttribute("aria-label", `${TABS[tab]} of ${row.name}`);
    if (tab === "log") this.follow(row);
    else this.ask(row, tab);
  }

  // Its card: HTML that the kernel has made, in which all text of jobs is escaped, as below a cell.
  look(row) {
    this.card.replaceChildren();
    this.kernel.asked.delete(this.looks);
    const here = (then) => (text) => this.row?.name === row.name && this.row.identity === row.identity && then(text);
    this.looks = this.kernel.wish("card", row, {
      card: here((html) => {
        this.card.innerHTML = html;
      }),
      error: here((text) => put(this.card, text)),
    });
  }

  // What is known of it has changed.
  refresh(row) {
    const before = this.row;
    const ended = before.live && !row.live;
    const moved = ["shown", "why", "node", "pods"].some((key) => before[key] !== row[key]);
    this.row = row;
    this.deeds.offer(row);
    if (ended && this.tab === "describe") this.ask(row, this.tab);
    if (moved) this.later ||= setTimeout(() => this.podsAgain(), PODS_MS);
  }

  // Of what has been looked at meanwhile.
  podsAgain() {
    this.later = 0;
    if (this.row && this.tab === "pods") this.ask(this.row, this.tab);
  }

  ask(row, tab) {
    const shown = this.shown;
    const mine = (then) => (text) => shown === this.shown && then(text);
    this.kernel.wish(tab, row, {
      answer: mine((text) => put(this.text, text || "nothing is known")),
      error: mine((text) => put(this.text, text)),
      busy: mine(() => put(this.text, busy(row, tab))),
    });
  }

  follow(row) {
    const shown = this.shown;
    const log = new Log();
    const id = this.kernel.wish("log", row, {
      log: ({ text, over }) => {
        if (shown !== this.shown) return this.kernel.asked.delete(id);
        this.add(log.take(over && log.rest + text !== "" && !text.endsWith("\n") ? `${text}\n` : text));
        if (over) this.kernel.asked.delete(id);
      },
      error: (text) => shown === this.shown && put(this.text, text),
      busy: () => shown === this.shown && put(this.text, busy(row)),
    });
  }

  // It follows its end while that is in sight.
  add(lines) {
    if (!this.text.firstElementChild) this.text.replaceChildren(); // what was said of a busy kernel
    const pane = this.text;
    const follows = pane.scrollHeight - pane.scrollTop - pane.clientHeight < 2 * ROW_PX;
    const fresh = lines.slice(-LOG_LINES).map(lineOf);
    this.sought(fresh);
    pane.append(...fresh);
    while (pane.childElementCount > LOG_LINES) pane.firstElementChild.remove();
    if (follows) pane.scrollTop = pane.scrollHeight;
  }

  // Of these lines of the log only those are shown that have what is looked for.
  sought(lines) {
    const word = this.find.value.toLowerCase();
    for (const line of lines) line.hidden = !line.textContent.toLowerCase().includes(word);
  }

  say(text) {
    put(this.says, text);
  }

  copied() {
    toClipboard(this.words()).then(
      () => this.say("copied"),
      () => this.say("the page may not copy: select the text instead"),
    );
  }

  // No page may write a notebook's cells: what to type is handed over.
  attached() {
    const line = `%kube attach ${cell(this.row, "name", 0)}`;
    const say = (how) => this.say(`run \`${line}\` in a cell: its output and values come there${how}`);
    toClipboard(line).then(
      () => say(" (copied)"),
      () => say(""),
    );
  }

  loaded() {
    const address = URL.createObjectURL(new Blob([this.words()], { type: "text/plain" }));
    make("a", { href: address, download: `${this.row.name}-${this.tab}.txt` }).click();
    URL.revokeObjectURL(address);
  }

  words() {
    return this.tab === "log" ? [...this.text.children].map((each) => each.textContent).join("\n") : this.text.textContent;
  }
}

// Where the page came by plain HTTP from another machine there is none.
function toClipboard(text) {
  return navigator.clipboard?.writeText(text) ?? Promise.reject(new Error("no clipboard"));
}

function lineOf(pieces) {
  const parts = pieces.map(({ text, styles }) =>
    styles.length ? make("span", { className: styles.map((each) => `km-${each}`).join(" ") }, text) : text,
  );
  return make("div", { className: "km-logline" }, ...parts);
}
