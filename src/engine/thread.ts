import { nameProcess } from "../os/libc.ts";
import { Door, type DoorOrder } from "./door.ts";
import { runScanThread, type ScanThreadOrder } from "./scan-thread.ts";

/** What a thread of the engine is to do. */
export type ThreadOrder =
  | { readonly thread: "door"; readonly order: DoorOrder }
  | { readonly thread: "scan"; readonly order: ScanThreadOrder };

/** Does what a thread is for; does not return. @param tell to the main thread */
export function runThread(work: ThreadOrder, tell: (event: object) => void): void {
  nameProcess(`engine ${work.thread}`);
  if (work.thread === "door") new Door(work.order, tell).run();
  else runScanThread(work.order, tell);
}
