import { ALL_ACTIONS, ALL_STEPS, Command } from "../../../src/milter/codes.ts";
import { COMMAND_OF_STAGE, type MtaCommand, STAGES } from "../../../src/milter/commands.ts";
import { encodeFrame } from "../../../src/milter/frame.ts";
import { encodeCommand } from "../../../src/milter/mta-codec.ts";
import type { Chance } from "../chance.ts";

/** Texts that MTAs send, and such as they do not. */
export const TEXTS: readonly string[] = [
  ..."|x|localhost|mx.example|[192.0.2.1]|127.0.0.1|IPv6:2001:db8::1|::ffff:10.0.0.1|/run/s|<>|<a@b.example>".split(
    "|",
  ),
  ..."SIZE=1000|BODY=8BITMIME| hi|\t folded\n more|a\r\nb|{client_addr}|j|{j}|_|i|{auth_authen}|%s%n|\xff\xfe".split(
    "|",
  ),
  ..."X-Virus-Status|Subject|From|Sender|Content-Type|X-ClamAV-Milter-Code| Clean|<a@b>;c|<|prog@b>".split(
    "|",
  ),
];

/** A "binary" text without NUL. */
export function someText(chance: Chance): string {
  if (chance.happens(0.7)) return chance.pick(TEXTS);
  if (chance.happens(0.9))
    return chance.text('abz019.@<>[]: \t\r\n%;|"\\\x01\x7f\x80\xff', chance.length(60));
  return chance.text("ax\n", chance.length(5000));
}

/** A command that an MTA may send. */
export function someCommand(chance: Chance, letter: string): MtaCommand {
  const word = (): string => someText(chance);
  switch (letter) {
    case "O":
      return {
        kind: "negotiate",
        version: chance.pick([6, 6, 6, 2, 3, 4, 0, 1, 7, 0xffffffff]),
        actions: chance.happens(0.6) ? ALL_ACTIONS : chance.next(),
        steps: chance.happens(0.4) ? ALL_STEPS : chance.next(),
      };
    case "C":
      return {
        kind: "connect",
        host: word(),
        family: chance.pick(["inet", "inet", "inet6", "unix", "unknown"]),
        port: chance.below(65536),
        address: word(),
      };
    case "D": {
      const pairs = chance.several(5, (): [string, string] => [
        chance.pick(["i", "j", "{x}", word()]),
        word(),
      ]);
      return { kind: "macro", stage: chance.pick(STAGES), pairs };
    }
    case "H":
      return { kind: "helo", name: word() };
    case "L":
      return { kind: "header", name: word(), value: word() };
    case "M":
      return { kind: "mail", sender: word(), parameters: chance.several(3, word) };
    case "R":
      return { kind: "rcpt", recipient: word(), parameters: chance.several(3, word) };
    case "U":
      return { kind: "unknown", command: word() };
    case "B":
      return { kind: "body", bytes: chance.bytes(chance.length(3000)) };
    case "E":
      return { kind: "endOfBody", bytes: chance.happens(0.8) ? new Uint8Array(0) : chance.bytes(9) };
    default:
      return SIMPLE[letter] ?? { kind: "quit" };
  }
}

const SIMPLE: Readonly<Record<string, MtaCommand>> = {
  A: { kind: "abort" },
  K: { kind: "quitNewConnexion" },
  N: { kind: "endOfHeaders" },
  T: { kind: "data" },
};

/** A frame that no sane peer sends. */
export function strangeFrame(chance: Chance): Uint8Array {
  const letters = [...Object.values(Command), ...Object.values(COMMAND_OF_STAGE), chance.below(256)];
  const frame = encodeFrame(chance.pick(letters), chance.bytes(chance.length(60000)));
  if (chance.happens(0.3)) frame[chance.below(4)] = chance.pick([0, 1, 255]);
  return chance.happens(0.1) ? frame.subarray(0, chance.below(frame.length + 1)) : frame;
}

/** What an MTA says in one connexion; now and then something is amiss. */
export function someConversation(chance: Chance): Uint8Array {
  let letters = "O";
  for (let connexion = 0; connexion <= chance.below(2); connexion++) {
    letters += chance.pick(["CH", "DCDH", "C", "CHU"]);
    for (let message = 0; message <= chance.below(3); message++) {
      letters += `M${"R".repeat(chance.below(4))}${chance.pick(["", "T"])}${"L".repeat(chance.below(6))}`;
      letters += `${chance.pick(["N", "DN", ""])}${"B".repeat(chance.below(4))}${chance.pick(["E", "E", "A", "DE", ""])}`;
    }
    letters += chance.pick(["K", "Q", ""]);
  }
  const parts = [...letters].flatMap((letter) => {
    const said = encodeCommand(someCommand(chance, letter));
    if (!chance.happens(0.03)) return [said];
    const other = chance.happens(0.5)
      ? strangeFrame(chance)
      : encodeCommand(someCommand(chance, chance.pick([..."OCHMRTLNBEUADKQ"])));
    return chance.happens(0.5) ? [said, other] : [other];
  });
  return Buffer.concat(parts);
}
