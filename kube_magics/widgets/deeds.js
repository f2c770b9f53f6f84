// What is done to a job from the page: each deed is confirmed, and answered by what came of it.

const DEEDS = { stop: "Stop", delete: "Delete", rerun: "Re-run" };

class Deeds {
  // `say` is given the row and what there is to say.
  constructor(kernel, say) {
    this.kernel = kernel;
    this.say = say;
    this.row = null;
    this.buttons = Object.entries(DEEDS).map(([what, title]) =>
      make("button", { type: "button", className: `km-end km-${what}`, onclick: () => this.confirm(what) }, title),
    );
    this.asks = make("span", { className: "km-asks" });
    this.nodes = [...this.buttons, this.asks];
  }

  // What cannot be done stays in reach of keys and screen readers: it says why.
  offer(row) {
    this.row = row;
    Object.keys(DEEDS).forEach((what, at) => {
      const why = hindrance(row, what);
      this.buttons[at].setAttribute("aria-disabled", String(why !== ""));
      this.buttons[at].title = why;
    });
  }

  confirm(what) {
    const row = this.row;
    const why = hindrance(row, what);
    this.dismiss();
    if (why) return this.say(row, `${DEEDS[what]} is not possible: ${why}.`);
    const yes = make("button", { type: "button", className: "km-yes" }, `Yes, ${DEEDS[what].toLowerCase()} ${row.name}`);
    const no = make("button", { type: "button", onclick: () => this.dismiss() }, "No");
    yes.onclick = () => {
      this.dismiss();
      this.begin(what, row);
    };
    this.asks.replaceChildren(yes, no);
    no.focus();
  }

  begin(what, row) {
    const say = (text) => this.say(row, text);
    say(`${DEEDS[what]} ${row.name} …`);
    this.kernel.deed(what, row, {
      answer: say,
      error: say,
      busy: () => say(busy(row, what)),
      late: () => say(`${row.name} was left alone: the kernel was busy. It hears again: press ${DEEDS[what]} once more.`),
    });
  }

  dismiss() {
    this.asks.replaceChildren();
  }
}
