// One job of the dashboard from near, and what is asked of the kernel about it.

const BUSY_MS = 1000; // a click that nobody has heard by then
const LOG_LINES = 2000; // that the page keeps
const TABS = { describe: "Details", log: "Log", events: "Events", yaml: "YAML" };
const ENDS = { stop: "Stop", delete: "Delete" };

// Wishes, and what became of them. An unheard one is given up: what ends jobs must not happen at some later time.
class Kernel {
  constructor(model, view) {
    this.model = model;
    this.view = view;
    this.asked = new Map();
    this.last = 0;
  }

  wish(what, row, hears) {
    const id = `${this.view}-${(this.last += 1)}`;
    const timer = setTimeout(() => hears.busy?.(), BUSY_MS);
    this.asked.set(id, { ...hears, timer });
    try {
      this.model.send({ id, what, view: this.view, name: row?.name ?? "", identity: row?.identity ?? "" });
    } catch {
      // The kernel is gone, and with it whom this would be sent to: nobody hears it.
    }
    return id;
  }

  // First whether anybody hears, then the wish itself.
  end(what, row, hears) {
    let late = false;
    const busy = () => {
      late = true;
      hears.busy();
    };
    this.wish("ask", row, { busy, answer: () => (late ? hears.late() : this.wish(what, row, hears)) });
  }

  told(message) {
    const asked = this.asked.get(message.id);
    if (asked === undefined) return;
    clearTimeout(asked.timer);
    if (message.kind === "log") return asked.log?.(message);
    if (message.kind === "card") return asked.card?.(message.html);
    if (message.kind === "heard") return;
    if (!(asked.log || asked.card) || message.kind === "error") this.asked.delete(message.id);
    asked[message.kind]?.(message.text);
  }

  close() {
    for (const { timer } of this.asked.values()) clearTimeout(timer);
    this.asked.clear();
  }
}

// One job, from near.
class Details {
  constructor(kernel) {
    this.kernel = kernel;
    this.row = null;
    this.tab = "describe";
    this.shown = 0;
    this.title = make("strong", { className: "km-title" });
    this.tabs = Object.entries(TABS).map(([tab, title]) =>
      make("button", { type: "button", role: "tab", onclick: () => this.open(this.row, tab) }, title),
    );
    this.ends = Object.entries(ENDS).map(([what, title]) =>
      make("button", { type: "button", className: "km-end", onclick: () => this.confirm(what) }, title),
    );
    this.copy = make("button", { type: "button", onclick: () => this.copied() }, "Copy");
    this.load = make("button", { type: "button", onclick: () => this.loaded() }, "Download");
    this.attach = make("button", { type: "button", onclick: () => this.attached() }, "Attach");
    this.find = make("input", { type: "search", className: "km-find", placeholder: "find", label: "Find in the log" });
    this.find.oninput = () => this.sought([...this.text.children]);
    this.asks = make("span", { className: "km-asks" });
    this.says = make("div", { className: "km-says", role: "status" });
    this.text = make("pre", { className: "km-text", tabIndex: 0, role: "tabpanel" });
    this.card = make("div", { className: "km-card", role: "region", label: "Card" });
    const tabs = make("span", { role: "tablist", label: "About the job" }, ...this.tabs);
    const bar = make("div", { className: "km-bar" }, this.title, tabs, this.find, this.copy, this.load, this.attach, ...this.ends, this.asks);
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
    if (other) this.asks.replaceChildren();
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
    const ended = this.row !== null && this.row.live && !row.live;
    this.row = row;
    this.ends[0].disabled = !row.live;
    if (ended && this.tab === "describe") this.ask(row, this.tab);
  }

  ask(row, tab) {
    const shown = this.shown;
    const mine = (then) => (text) => shown === this.shown && then(text);
    this.kernel.wish(tab, row, {
      answer: mine((text) => put(this.text, text || "nothing is known")),
      error: mine((text) => put(this.text, text)),
      busy: mine(() => put(this.text, busy(row))),
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

  confirm(what) {
    const row = this.row;
    const yes = make("button", { type: "button", className: "km-yes" }, `Yes, ${ENDS[what].toLowerCase()} ${row.name}`);
    const no = make("button", { type: "button" }, "No");
    no.onclick = () => this.asks.replaceChildren();
    yes.onclick = () => {
      this.asks.replaceChildren();
      this.end(what, row);
    };
    this.asks.replaceChildren(yes, no);
    no.focus();
  }

  end(what, row) {
    const say = (text) => this.row?.name === row.name && this.say(text);
    say(`${ENDS[what]} ${row.name} …`);
    this.kernel.end(what, row, {
      answer: say,
      error: say,
      busy: () => say(busy(row, what)),
      late: () => say(`${row.name} was left alone: the kernel was busy. It hears again: press ${ENDS[what]} once more.`),
    });
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

function busy(row, what = "logs") {
  const verb = what in ENDS || what === "nodes" ? what : "logs";
  return `kernel busy: press ■ once to detach, or \`kube-magics ${[verb, row?.name ?? ""].join(" ").trim()}\` in a terminal`;
}
