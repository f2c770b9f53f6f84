// What the page asks of the kernel, and what it hears.

const BUSY_MS = 1000; // a click that nobody has heard by then
const IN_A_TERMINAL = { log: "logs", pods: "describe" }; // where a wish has not the name of its verb

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
  deed(what, row, hears) {
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

// `row` null: of no job.
function busy(row, what = "log") {
  const typed = `kube-magics ${IN_A_TERMINAL[what] ?? what} ${row?.name ?? ""}`.trim();
  return `kernel busy: press ■ once to detach, or \`${typed}\` in a terminal`;
}
