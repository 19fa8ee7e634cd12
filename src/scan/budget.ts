/**
 * The time a message has from its end to its verdict, in milliseconds: below what Postfix waits for a reply
 * (milter_content_timeout, 300 s) and below sendmail's usual limit for the whole (`E:5m`).
 */
export const MESSAGE_BUDGET = 270_000;

/** sendmail waits 10 s for each reply at the end of a message unless told otherwise: progress must come before. */
export const PROGRESS_INTERVAL = 4_000;
