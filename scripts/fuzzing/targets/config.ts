import { parseSocketAddress } from "../../../src/cli/socket-address.ts";
import { StartError } from "../../../src/cli/start-error.ts";
import {
  booleanOf,
  textsOf as directiveTexts,
  numberOf,
  parseClamdConf,
  sizeOf,
  textOf,
} from "../../../src/config/clamd-conf.ts";
import {
  BOOLEANS,
  type BooleanDirective,
  DIRECTIVES,
  NUMBERS,
  type NumberDirective,
  SIZES,
  type SizeDirective,
  TEXTS,
  type TextDirective,
} from "../../../src/config/clamd-directives.ts";
import { checkSendmailCf, parseSendmailCf } from "../../../src/config/sendmail-cf.ts";
import { queueDirectories } from "../../../src/config/sendmail-queue.ts";
import { parseHeader } from "../../../src/engine/version-text.ts";
import type { Chance } from "../chance.ts";
import { binary, bytesOf, must, mustEqual, outcomeOf, size, type Target } from "../target.ts";

const NAMES: readonly string[] = [...DIRECTIVES.keys()];
const VALUES: readonly string[] = [
  ...'yes|no|true|0|1|10M|25m|2G|99999999999999999999|-1|3310|/run/clamd.sock|"a b"|"|""|LOG_MAIL|Yes # no|1#'.split(
    "|",
  ),
  " ".repeat(50),
];

function confLine(chance: Chance): string {
  if (chance.happens(0.1)) return chance.pick(["# remark", "", "Example", "\t ", "\ufeff", "Exampl"]);
  const blank = chance.pick([" ", "\t", "  ", ""]);
  const value = chance.happens(0.8) ? chance.pick(VALUES) : chance.text('ab1 "#\t\r\\', chance.length(300));
  return `${chance.pick(["", "", " "])}${chance.pick(NAMES)}${blank}${value}`;
}

const conf: Target = {
  name: "clamd-conf",
  about: "clamd.conf",
  dictionary: [...NAMES, ...VALUES, "\n", "\r\n", "#", '"', "Example"],
  largest: 60_000,
  generate: (chance) => Buffer.from(chance.several(12, () => `${confLine(chance)}\n`).join("")),
  run(input) {
    const text = Buffer.from(input).toString("utf8");
    const { value, code } = outcomeOf(() => parseClamdConf(text, "c.conf"), StartError);
    if (value === null) return code;
    const again = parseClamdConf(
      `\n${text.replace(/^\ufeff/, "").replaceAll(/\r?\n/g, "\r\n")}\n# end`,
      "c.conf",
    );
    mustEqual(again.given, value.given, "line ends, an empty line and a remark change something");
    for (const name of Object.keys(BOOLEANS))
      must(typeof booleanOf(value, name as BooleanDirective) === "boolean", name);
    for (const name of Object.keys(NUMBERS)) mustBeNumber(numberOf(value, name as NumberDirective), name);
    for (const name of Object.keys(SIZES)) mustBeNumber(sizeOf(value, name as SizeDirective), name);
    for (const name of Object.keys(TEXTS)) {
      const one = textOf(value, name as TextDirective);
      must(
        one === null || (one !== "" && !one.includes("\n")),
        `${name} has an empty text or more than a line`,
      );
      must(
        directiveTexts(value, name as TextDirective).every((each) => each !== ""),
        name,
      );
    }
    return `${[...value.given.keys()].slice(0, 3)} ${size(value.warnings.length)}`;
  },
};

function mustBeNumber(value: number | null, name: string): void {
  must(value === null || (Number.isSafeInteger(value) && value >= 0), `${name} is ${value}`);
}

const CF_WORDS: readonly string[] = [
  "Xclamav, S=unix:/run/c.sock, F=T, T=C:1m;S:1m;R:2m;E:5m",
  "Xother, S=inet:1@localhost",
  "O InputMailFilters=clamav,other",
  "O DaemonPortOptions=Name=MTA, I=clamav;other",
  "O DaemonPortOptions=Name=MTA, InputMailFilters=clamav",
  "O QueueDirectory=/var/spool/mqueue",
  "O QueueDirectory=/var/spool/mq*",
  "# remark",
  "\tcontinued",
  "DaemonPortOptions",
  "T=R:1m30s",
  '"',
  "$#",
  "\\#",
];

const OURS = [parseSocketAddress("/run/c.sock"), parseSocketAddress("inet:7357")];

const sendmailCf: Target = {
  name: "sendmail-cf",
  about: "sendmail.cf: filters, what is called, the queue",
  dictionary: [...CF_WORDS, "\n", "\r\n", "X", "S=", "F=", "T=", ",", ";", "O ", "1w2d3h4m5s"],
  largest: 60_000,
  generate: (chance) =>
    bytesOf(
      chance
        .several(10, () =>
          chance.happens(0.8) ? chance.pick(CF_WORDS) : chance.text('XO =,;:"#\\\t/a1m', chance.length(200)),
        )
        .join("\n"),
    ),
  run(input) {
    const text = binary(input);
    const { filters, called } = parseSendmailCf(text);
    for (const { name, timeouts } of filters) {
      must(name !== "" && name === name.trim(), "a filter without a name");
      for (const seconds of Object.values(timeouts)) must(seconds >= 0, "a negative time");
    }
    const realPath = (path: string): string => path;
    const { value, code } = outcomeOf(
      () => checkSendmailCf({ file: "s.cf", text, sockets: OURS, realPath }),
      StartError,
    );
    // Quotation marks are taken away, as sendmail does, and a path may have more in it than it needs.
    if (value !== null && filters.length > 0)
      must(text.replaceAll('"', "").includes("c.sock"), "a socket that is not there");
    const [queue = ""] = queueDirectories("s.cf", { read: () => text, expand: () => [] });
    must(/^(\/\S*)?$/.test(queue), "a queue directory that is none");
    parseHeader(text);
    return `${size(filters.length)} ${size(called.size)} ${code} ${value?.length} ${queue.length > 0}`;
  },
};

export const CONFIG_TARGETS: readonly Target[] = [conf, sendmailCf];
