// The text of a log as pieces with their colours: what a terminal would show of it, and nothing that it would do.

// Every sequence of ECMA-48 begins with ESC or a C1 control: CSI … final byte; OSC, DCS, PM, APC, SOS … ST or BEL; others.
const SEQUENCE =
  /(?:\x1b\[|\x9b)([0-?]*)[ -/]*([@-~])|(?:\x1b[\]PX^_]|[\x9d\x90\x98\x9e\x9f])[\s\S]*?(?:\x07|\x1b\\|\x9c|$)|\x1b[ -/]*[0-~]?/g;
const CONTROL = /[\x00-\x08\x0b-\x1f\x7f-\x9f]/g;
const COLOURS = ["black", "red", "green", "yellow", "blue", "magenta", "cyan", "white"];

// Lines of a log, as they come; colours go on from line to line, as they do in a terminal.
export class Log {
  constructor() {
    this.style = new Set();
    this.rest = "";
  }

  // The lines that `text` ends: each a list of { text, styles }.
  take(text) {
    const lines = (this.rest + text).split("\n");
    this.rest = lines.pop();
    return lines.map((line) => this.line(line));
  }

  line(text) {
    const pieces = [];
    let from = 0;
    for (const found of text.matchAll(SEQUENCE)) {
      this.put(pieces, text.slice(from, found.index));
      if (found[2] === "m") this.paint(found[1]);
      from = found.index + found[0].length;
    }
    this.put(pieces, text.slice(from));
    return pieces;
  }

  // A carriage return begins the line anew, as progress bars do.
  put(pieces, text) {
    const parts = text.replace(/\r+$/, "").split("\r");
    if (parts.length > 1) pieces.length = 0;
    const plain = parts.at(-1).replace(CONTROL, "");
    if (plain) pieces.push({ text: plain, styles: [...this.style] });
  }

  // https://www.ecma-international.org/publications-and-standards/standards/ecma-48/ 8.3.117, and aixterm's bright ones.
  paint(parameters) {
    const codes = parameters.split(/[;:]/).map((each) => Number(each || 0));
    for (let at = 0; at < codes.length; at += 1) {
      const code = codes[at];
      if (code === 0) this.style.clear();
      else if (code === 1) this.style.add("bold");
      else if (code === 2) this.style.add("faint");
      else if (code === 3) this.style.add("italic");
      else if (code === 4) this.style.add("underline");
      else if (code === 22) this.drop(/^(bold|faint)$/);
      else if (code === 23) this.style.delete("italic");
      else if (code === 24) this.style.delete("underline");
      else if (code >= 30 && code <= 37) this.colour("fg", COLOURS[code - 30]);
      else if (code >= 90 && code <= 97) this.colour("fg", COLOURS[code - 90]);
      else if (code >= 40 && code <= 47) this.colour("bg", COLOURS[code - 40]);
      else if (code >= 100 && code <= 107) this.colour("bg", COLOURS[code - 100]);
      else if (code === 39) this.drop(/^fg-/);
      else if (code === 49) this.drop(/^bg-/);
      else if (code === 38 || code === 48) {
        // Of 256 colours the first sixteen are those above; of the others none is told apart here.
        const place = code === 38 ? "fg" : "bg";
        if (codes[at + 1] === 5) {
          this.drop(new RegExp(`^${place}-`));
          if (codes[at + 2] < 16) this.colour(place, COLOURS[codes[at + 2] % 8]);
          at += 2;
        } else if (codes[at + 1] === 2) at += 4;
      }
    }
  }

  colour(place, name) {
    this.drop(new RegExp(`^${place}-`));
    this.style.add(`${place}-${name}`);
  }

  drop(pattern) {
    for (const each of [...this.style]) if (pattern.test(each)) this.style.delete(each);
  }
}
