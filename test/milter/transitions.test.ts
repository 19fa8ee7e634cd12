import { describe, expect, test } from "bun:test";
import { type CommandKind, inMessage, nextState, type State } from "../../src/milter/transitions.ts";

/*
 * The protocol as a picture of its own. Columns: O negotiate, C connect, H helo, M mail, R rcpt, T data, L header,
 * N end of headers, B body, E end of body, U unknown, A abort, D macro, Q quit, K quit with a new connexion.
 * A cell is the state that follows by its number in front of the line; `.` is illegal.
 */
const COLUMNS = "OCHMRTLNBEUADQK";
const PICTURE = `
  0 start         1...........00.
  1 negotiated    .2........11111
  2 connected     ..34......22211
  3 greeted       ..34......33311
  4 mail          ...45.....43411
  5 rcpt          ...4567898a?`;
const ROWS: readonly (readonly [State, string])[] = [
  //               OCHMRTLNBEUADQK
  ["start", "1...........00."],
  ["negotiated", ".2........11111"],
  ["connected", "..34......22211"],
  ["greeted", "..34......33311"],
  ["mail", "...45.....43411"],
  ["rcpt", "...45678 9a53511"],
  ["data", "...4..78 9a63611"],
  ["headers", "...4..78 9a.3711"],
  ["endOfHeaders", "...4....9a.3811"],
  ["body", "...4....9a.3911"],
  ["verdictDue", "...........3a11"],
];
void PICTURE;
void ROWS;
