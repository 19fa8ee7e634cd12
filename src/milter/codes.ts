/**
 * The numbers and letters of the milter wire protocol, versions 2 to 6.
 * Each carries the name it has in sendmail's mfapi.h and mfdef.h.
 */

/** The newest protocol version spoken here: SMFI_PROT_VERSION 6. */
export const NEWEST_VERSION = 6;
/** The oldest one: sendmail 8.11 and Postfix with milter_protocol = 2. */
export const OLDEST_VERSION = 2;

/** What an MTA sends: command letters as bytes. */
export const Command = {
  abort: 0x41, // 'A' SMFIC_ABORT
  body: 0x42, // 'B' SMFIC_BODY
  connect: 0x43, // 'C' SMFIC_CONNECT
  macro: 0x44, // 'D' SMFIC_MACRO
  endOfBody: 0x45, // 'E' SMFIC_BODYEOB
  helo: 0x48, // 'H' SMFIC_HELO
  quitNewConnexion: 0x4b, // 'K' SMFIC_QUIT_NC
  header: 0x4c, // 'L' SMFIC_HEADER
  mail: 0x4d, // 'M' SMFIC_MAIL
  endOfHeaders: 0x4e, // 'N' SMFIC_EOH
  negotiate: 0x4f, // 'O' SMFIC_OPTNEG
  quit: 0x51, // 'Q' SMFIC_QUIT
  rcpt: 0x52, // 'R' SMFIC_RCPT
  data: 0x54, // 'T' SMFIC_DATA
  unknown: 0x55, // 'U' SMFIC_UNKNOWN
} as const;

/** What a filter answers: reply letters as bytes. */
export const Reply = {
  addRecipient: 0x2b, // '+' SMFIR_ADDRCPT
  deleteRecipient: 0x2d, // '-' SMFIR_DELRCPT
  addRecipientWithArguments: 0x32, // '2' SMFIR_ADDRCPT_PAR
  shutdown: 0x34, // '4' SMFIR_SHUTDOWN
  negotiate: 0x4f, // 'O' SMFIC_OPTNEG
  accept: 0x61, // 'a' SMFIR_ACCEPT
  replaceBody: 0x62, // 'b' SMFIR_REPLBODY
  continue: 0x63, // 'c' SMFIR_CONTINUE
  discard: 0x64, // 'd' SMFIR_DISCARD
  changeSender: 0x65, // 'e' SMFIR_CHGFROM
  connectionFailed: 0x66, // 'f' SMFIR_CONN_FAIL
  addHeader: 0x68, // 'h' SMFIR_ADDHEADER
  insertHeader: 0x69, // 'i' SMFIR_INSHEADER
  changeHeader: 0x6d, // 'm' SMFIR_CHGHEADER
  progress: 0x70, // 'p' SMFIR_PROGRESS
  quarantine: 0x71, // 'q' SMFIR_QUARANTINE
  reject: 0x72, // 'r' SMFIR_REJECT
  skip: 0x73, // 's' SMFIR_SKIP
  tempfail: 0x74, // 't' SMFIR_TEMPFAIL
  replyCode: 0x79, // 'y' SMFIR_REPLYCODE
} as const;

/** What a filter may do to a message: the action bits of the negotiation. */
export const Action = {
  addHeaders: 0x1, // SMFIF_ADDHDRS
  changeBody: 0x2, // SMFIF_CHGBODY
  addRecipient: 0x4, // SMFIF_ADDRCPT
  deleteRecipient: 0x8, // SMFIF_DELRCPT
  changeHeaders: 0x10, // SMFIF_CHGHDRS
  quarantine: 0x20, // SMFIF_QUARANTINE
  changeSender: 0x40, // SMFIF_CHGFROM
  addRecipientWithArguments: 0x80, // SMFIF_ADDRCPT_PAR
  setMacroList: 0x100, // SMFIF_SETSYMLIST
} as const;

/** What an MTA may leave out or do differently: the step bits of the negotiation. */
export const Step = {
  noConnect: 0x1, // SMFIP_NOCONNECT
  noHelo: 0x2, // SMFIP_NOHELO
  noMail: 0x4, // SMFIP_NOMAIL
  noRcpt: 0x8, // SMFIP_NORCPT
  noBody: 0x10, // SMFIP_NOBODY
  noHeaders: 0x20, // SMFIP_NOHDRS
  noEndOfHeaders: 0x40, // SMFIP_NOEOH
  noReplyHeader: 0x80, // SMFIP_NR_HDR
  noUnknown: 0x100, // SMFIP_NOUNKNOWN
  noData: 0x200, // SMFIP_NODATA
  skip: 0x400, // SMFIP_SKIP
  rejectedRecipients: 0x800, // SMFIP_RCPT_REJ
  noReplyConnect: 0x1000, // SMFIP_NR_CONN
  noReplyHelo: 0x2000, // SMFIP_NR_HELO
  noReplyMail: 0x4000, // SMFIP_NR_MAIL
  noReplyRcpt: 0x8000, // SMFIP_NR_RCPT
  noReplyData: 0x10000, // SMFIP_NR_DATA
  noReplyUnknown: 0x20000, // SMFIP_NR_UNKN
  noReplyEndOfHeaders: 0x40000, // SMFIP_NR_EOH
  noReplyBody: 0x80000, // SMFIP_NR_BODY
  headerLeadingSpace: 0x100000, // SMFIP_HDR_LEADSPC
} as const;

/** What sendmail 8.17 and Postfix 3.x offer: SMFI_CURR_ACTS and SMFI_CURR_PROT. */
export const ALL_ACTIONS = 0x1ff;
export const ALL_STEPS = 0x1fffff;

/** What a peer of version 1 meant by zero: SMFI_V1_ACTS and SMFI_V1_PROT (libmilter). */
export const VERSION_1_ACTIONS = 0xf;
export const VERSION_1_STEPS = 0x3f;

/** The stages a macro list is asked for by: end of message comes before end of headers. */
export const MacroStage = {
  connect: 0, // SMFIM_CONNECT
  helo: 1, // SMFIM_HELO
  mail: 2, // SMFIM_ENVFROM
  rcpt: 3, // SMFIM_ENVRCPT
  data: 4, // SMFIM_DATA
  endOfMessage: 5, // SMFIM_EOM
  endOfHeaders: 6, // SMFIM_EOH
} as const;

export type MacroStageName = keyof typeof MacroStage;

/** The longest data a frame may carry, without its command byte: MILTER_MAX_DATA_SIZE. */
export const MAX_FRAME_DATA = 65535;
