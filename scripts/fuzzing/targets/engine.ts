import { Conversation, type ConversationEdge, type ScanOrder } from "../../../src/engine/conversation.ts";
import { scanText } from "../../../src/engine/scan-text.ts";
import type { Chance } from "../chance.ts";
import { chanceOf, independentOfCuts } from "../pieces.ts";
import { binary, bytesOf, must, size, type Target } from "../target.ts";

const COMMANDS: readonly string[] = [
  ..."IDSESSION|END|PING|VERSION|STATS|INSTREAM|FILDES|SCAN /x|RELOAD|".split("|"),
].flatMap((word) => [`z${word}\0`, `n${word}\n`]);
const CHUNKS: readonly string[] = [
  "\0\0\0\x02ab",
  "\0\0\0\0",
  "\0\0\0\x01",
  "\xff\xff\xff\xff",
  "\0\0\x10\0",
  "\0",
];

function someTalk(chance: Chance): string {
  const session = chance.happens(0.7) ? "zIDSESSION\0" : "";
  const word = (): string => {
    if (chance.happens(0.3))
      return `zINSTREAM\0${chance.several(3, () => chance.pick(CHUNKS)).join("")}\0\0\0\0`;
    return chance.pick(chance.happens(0.8) ? COMMANDS : CHUNKS);
  };
  return session + chance.several(6, word).join("");
}

interface Heard {
  readonly sent: string;
  readonly orders: readonly Omit<ScanOrder, "file">[];
  readonly closed: number;
  readonly written: number;
}

const LIMIT = 4000;
const FIRST_PASSED = 1000;

/** A conversation with descriptors that come with the first bytes; each of them must be given back once. */
function heardBy(pieces: readonly Uint8Array[], passed: number): Heard {
  const open = new Set<number>(Array.from({ length: passed }, (_, at) => FIRST_PASSED + at));
  const orders: Omit<ScanOrder, "file">[] = [];
  let sent = "";
  let closed = 0;
  let written = 0;
  let last = 0;
  const giveBack = (fd: number): void => must(open.delete(fd), "a descriptor is given back twice");
  const edge: ConversationEdge = {
    version: "ClamAV 1.4",
    streamMaxLength: LIMIT,
    threads: 2,
    send(text) {
      must(closed === 0, "an answer behind the end");
      sent += text;
    },
    scan({ file, ...order }) {
      orders.push(order);
      giveBack(file);
    },
    openStream() {
      if (last === 3) throw new Error("no file is to be had");
      open.add(++last);
      return last;
    },
    writeStream(fd, bytes) {
      must(open.has(fd), "something is written to a file that is closed");
      written += bytes.length;
      if (written > 3000) throw new Error("the memory is full");
    },
    closeFile: giveBack,
    close: () => void closed++,
  };
  const conversation = new Conversation(edge);
  const descriptors = [...open];
  for (const piece of pieces) conversation.receive(piece, descriptors.splice(0));
  conversation.receive(new Uint8Array(0), descriptors);
  conversation.release();
  must(open.size === 0, "a descriptor is left open");
  must(closed <= 1, "the end is told twice");
  return { sent, orders, closed, written: closed > 0 ? 0 : written };
}

export const ENGINE_TARGETS: readonly Target[] = [
  {
    name: "engine-conversation",
    about: "what a client says to the built-in engine, in clamd's protocol",
    dictionary: [...COMMANDS, ...CHUNKS],
    largest: 20_000,
    generate: (chance) => bytesOf(someTalk(chance)),
    run(input) {
      const passed = chanceOf(input).pick([0, 1, 2, 16, 17]);
      const { sent, orders, closed } = independentOfCuts(input, (pieces) => heardBy(pieces, passed));
      for (const line of sent.split(/[\0\n]/)) must(line.length < 200, "a long answer");
      const name = binary(input).slice(0, 100);
      const said = scanText({ status: input[0] ?? 0, name: passed === 0 ? null : name, words: name });
      must(!/[\0\n]/.test(said), "an answer with its end in it");
      const words = sent.replaceAll(/\d+/g, "").slice(0, 60);
      return `${words} ${orders.map(({ byDescriptor }) => byDescriptor)} ${closed} ${size(sent.length)}`;
    },
  },
];
