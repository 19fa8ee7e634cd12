/** A process that stores something and kills itself at a given step: `store-process.ts KIND FOLDER STEP`. */

import { appendFileSync } from "node:fs";
import { DurableFiles } from "../../src/keeper/durable-files.ts";
import { Outbox } from "../../src/keeper/outbox.ts";
import { Quarantine } from "../../src/keeper/quarantine.ts";

const [kind, folder = "", at] = process.argv.slice(2);
let left = Number(at);
const files = new DurableFiles(() => {
  if (left-- === 0) process.kill(process.pid, "SIGKILL");
});

if (kind === "quarantine") {
  const quarantine = new Quarantine(folder, () => new Date(2026, 10, 22), files);
  const message = [Buffer.from("one\r\n"), Buffer.from("two\r\n")];
  await quarantine.keep("4AM1", "Eicar", () => message, { sender: "<a@b>" });
} else {
  const edge = {
    files,
    bounds: { files: 10, bytes: 10_000 },
    now: () => 1000,
    // As a mail program does it: the mail is taken before the caller hears of it.
    send: async () => {
      appendFileSync(`${folder}/sent`, "x");
      return { kind: "sent" } as const;
    },
    log: () => {},
  };
  const outbox = await Outbox.open(folder, edge);
  if (kind === "add") {
    await outbox.add({ recipients: ["p@x"], messageId: "m@x", title: "t", bytes: Buffer.from("mail\n") });
    appendFileSync(`${folder}/answered`, "x");
  }
  outbox.tick();
  await outbox.stop(5000);
}
process.stdout.write(`steps left ${left}\n`);
