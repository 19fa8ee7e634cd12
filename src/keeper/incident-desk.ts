import type { KeepOrder } from "../ipc/notice-messages.ts";
import type { Log } from "../log/log.ts";
import type { Stamp } from "../notify/compose.ts";
import type { Incident, NoticeRules } from "../notify/incident.ts";
import { composeNotice, type NoticeTemplate } from "../notify/notice.ts";
import { shownHeader } from "../notify/notice-text.ts";
import { noticeRecipients, onlyAllowed } from "../notify/recipients.ts";
import { composeReport, type ReportKind } from "../notify/report.ts";
import { mailableAddress, shownText } from "../notify/safe-text.ts";
import type { Mailer } from "./mailer.ts";
import { MOST_RECIPIENTS } from "./own-mail.ts";
import { type PassedMessage, passedMessage } from "./passed-message.ts";
import type { Quarantine } from "./quarantine.ts";

/** What becomes of an order. */
export interface IncidentWorld {
  readonly rules: NoticeRules;
  readonly template: NoticeTemplate | null;
  readonly templateWantsHeaders: boolean;
  /** Whom reports of each kind go to. */
  readonly reportTo: Readonly<Record<ReportKind, string | null>>;
  readonly quarantine: Quarantine | null;
  /** Null: mail of ours has no place to wait in. */
  readonly mailer: Mailer | null;
  readonly broadcast: (text: string) => void;
  readonly stamp: () => Stamp;
  readonly log: Log;
}

/** Bytes of a header that a notice shows at most. */
const MOST_HEADER = 256 * 1024;
/** Bytes of a message that is reported whole. */
const MOST_REPORTED = 10 * 1024 * 1024;

/**
 * Does what has to be done before an infected message is answered: its copy first, for without one it must come
 * again; then reports and notices, each on the disk.
 * @param fd descriptor of the message, or null when none was passed
 * @returns where the copy is, or ""
 * @throws Error when the copy cannot be kept
 */
export async function handleIncident(
  order: KeepOrder,
  fd: number | null,
  world: IncidentWorld,
): Promise<string> {
  const message = fd === null ? null : passedMessage(fd, order.skip);
  const path = order.store ? await keepCopy(order, message, world) : "";
  if (order.broadcast)
    world.broadcast(
      `${path === "" ? "stream" : path}: ${order.names.map((name) => shownText(name)).join(", ")}`,
    );
  for (const kind of order.reports) await report(kind, order, message, world);
  if (order.notice !== null) await notify({ ...order, situation: order.notice }, path, message, world);
  return path;
}

async function keepCopy(
  order: KeepOrder,
  message: PassedMessage | null,
  world: IncidentWorld,
): Promise<string> {
  if (world.quarantine === null) throw new Error("there is no quarantine directory");
  if (message === null) throw new Error("the message did not arrive: too many open files?");
  const about = {
    time: new Date(world.stamp().time).toISOString(),
    queueId: shownText(order.queueId),
    names: order.names.map((name) => shownText(name)),
    // As they came, so that the message can be sent on: one character a byte.
    sender: order.sender,
    recipients: order.recipients,
    recipientCount: order.recipientCount,
    client: { host: shownText(order.clientHost), address: shownText(order.clientAddress) },
    size: message.size,
    headersAdded: order.added,
  };
  const path = await world.quarantine.keep(
    order.queueId,
    order.names.join(","),
    () => message.pieces(),
    about,
  );
  world.log("info", `${shownText(order.queueId, 60)}: kept as ${path}`);
  return path;
}

async function report(
  kind: ReportKind,
  order: KeepOrder,
  message: PassedMessage | null,
  world: IncidentWorld,
): Promise<void> {
  const address = mailableAddress(world.reportTo[kind] ?? "");
  if (address === null || message === null || world.mailer === null) return;
  const bytes = await message.start(MOST_REPORTED);
  await world.mailer.announce({
    kind: "report",
    queueId: order.queueId,
    names: order.names,
    recipients: [address],
    compose: () => composeReport(kind, incidentOf(order), address, world.rules, bytes, world.stamp()),
  });
}

async function notify(
  incident: Incident,
  keptAs: string,
  message: PassedMessage | null,
  world: IncidentWorld,
): Promise<void> {
  if (world.mailer === null) return;
  const all = noticeRecipients(world.rules, incident);
  const wanted = world.rules.headers || world.templateWantsHeaders;
  const header = wanted && message !== null ? shownHeader(await message.start(MOST_HEADER)) : null;
  await world.mailer.announce({
    kind: "notice",
    queueId: incident.queueId,
    names: incident.names,
    recipients: [...all.to, ...all.cc].slice(0, MOST_RECIPIENTS),
    compose: (allowed) => {
      const facts = { keptAs: keptAs === "" ? null : keptAs, header };
      const to = onlyAllowed(all, allowed);
      const notice = composeNotice(incident, to, world.rules, facts, world.template, world.stamp());
      for (const complaint of notice.complaints) world.log("warning", `--template-file: ${complaint}`);
      return notice;
    },
  });
}

function incidentOf(order: KeepOrder): Incident {
  return { ...order, situation: order.notice ?? "refused" };
}
