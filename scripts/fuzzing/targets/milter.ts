import { MAX_FRAME_DATA } from "../../../src/milter/codes.ts";
import { binaryText, decodeCommand, type MtaCommand } from "../../../src/milter/commands.ts";
import { encodeFrame, FrameDecoder } from "../../../src/milter/frame.ts";
import { MilterError } from "../../../src/milter/milter-error.ts";
import { encodeCommand } from "../../../src/milter/mta-codec.ts";
import { traceCommand } from "../../../src/milter/trace.ts";
import { independentOfCuts } from "../pieces.ts";
import { must, mustEqual, outcomeOf, size, type Target } from "../target.ts";
import { someCommand, strangeFrame, TEXTS } from "./milter-grammar.ts";

interface Frames {
  readonly frames: readonly [letter: number, data: string][];
  readonly code: string;
}

/** The frames of a stream, in a form that can be compared. */
function framesIn(pieces: readonly Uint8Array[]): Frames {
  const decoder = new FrameDecoder();
  const frames: [number, string][] = [];
  let code = "";
  for (const piece of pieces) {
    ({ code } = outcomeOf(
      () => decoder.push(piece, ({ letter, data }) => frames.push([letter, binaryText(data)]) > 0),
      MilterError,
    ));
    must(decoder.held <= MAX_FRAME_DATA + 5, `an unfinished frame of ${decoder.held} bytes is held`);
    must(decoder.room <= 2 * (MAX_FRAME_DATA + 5), `${decoder.room} bytes are kept for a frame`);
    must(decoder.room <= Math.max(512, 4 * decoder.held), "much room for little");
    if (code !== "") break;
  }
  return { frames, code };
}

const frames: Target = {
  name: "milter-frames",
  about: "bytes from an MTA, cut into frames",
  dictionary: ["\0\0\0\x01Q", "\0\0\0\x05B", "\0\x01\0\0", "\0\0\xff\xff", "\xff\xff\xff\xff", "\0\0\0\0"],
  largest: 140_000,
  generate: (chance) =>
    Buffer.concat(
      chance.several(6, () =>
        chance.happens(0.5) ? strangeFrame(chance) : encodeCommand(someCommand(chance, "L")),
      ),
    ),
  run(input) {
    const { frames: found, code } = independentOfCuts(input, framesIn);
    const again = Buffer.concat(
      found.map(([letter, data]) => encodeFrame(letter, Buffer.from(data, "latin1"))),
    );
    must(Buffer.from(input.subarray(0, again.length)).equals(again), "the frames are not what came");
    return `${found.length} ${code} ${size(again.length)}`;
  },
};

const commands: Target = {
  name: "milter-commands",
  about: "one frame from an MTA, decoded, encoded again and traced",
  dictionary: [...TEXTS, "\0", "4\0\x19", "6\0\0", "L", "U", "O\0\0\0\x06"],
  largest: 65_530,
  generate(chance) {
    if (chance.happens(0.3)) return strangeFrame(chance).subarray(4);
    return encodeCommand(someCommand(chance, chance.pick([..."OCDHLMRUBETANKQ"]))).subarray(4);
  },
  run(input) {
    const frame = { letter: input[0] ?? 0, data: input.subarray(1) };
    const { value, code } = outcomeOf(() => decodeCommand(frame), MilterError);
    if (value === null) return code;
    for (const level of [4, 9]) {
      const text = traceCommand(value, level);
      must(text.length <= 1200, `a trace of ${text.length} characters`);
    }
    if (value.kind === "macro" && value.stage === null) return "no stage";
    mustEqual(decodedAgain(value), value, "what was decoded does not come back");
    return `${value.kind} ${shapeOf(value)}`;
  },
};

function decodedAgain(command: MtaCommand): MtaCommand {
  let again: MtaCommand | null = null;
  const bytes = encodeCommand(command);
  new FrameDecoder().push(bytes, (frame) => {
    const decoded = decodeCommand(frame);
    again = "bytes" in decoded ? { ...decoded, bytes: decoded.bytes.slice() } : decoded;
    return true;
  });
  must(again !== null, "what was encoded is no frame");
  return again;
}

function shapeOf(command: MtaCommand): string {
  return Object.values(command)
    .map((value: unknown) =>
      typeof value === "string" || Array.isArray(value) || value instanceof Uint8Array
        ? size(value.length)
        : value,
    )
    .join(" ");
}

export const MILTER_TARGETS: readonly Target[] = [frames, commands];
