-- Every stage of a message, three messages on one connexion: clean, infected, clean.
-- Globals: socket, virus, name, version, actions, steps
local conn = mt.connect(socket)
if conn == nil then error("no connexion to " .. socket) end

local function expect(stage, reply)
  local got = mt.getreply(conn)
  if got ~= reply then error(stage .. ": reply " .. tostring(got) .. " instead of " .. tostring(reply)) end
end

if mt.negotiate(conn, tonumber(version), tonumber(steps), tonumber(actions)) ~= nil then error("negotiation failed") end
mt.macro(conn, SMFIC_CONNECT, "j", "mail.lab.example")
if mt.conninfo(conn, "mx.example.net", "203.0.113.7") ~= nil then error("CONNECT failed") end
expect("CONNECT", SMFIR_CONTINUE)
if mt.helo(conn, "mx.example.net") ~= nil then error("HELO failed") end

local function message(body)
  mt.macro(conn, SMFIC_MAIL, "i", "4AMmiltertest")
  if mt.mailfrom(conn, "<alice@example.net>", "SIZE=1000") ~= nil then error("MAIL failed") end
  mt.macro(conn, SMFIC_RCPT, "{rcpt_addr}", "bob@example.org")
  if mt.rcptto(conn, "<bob@example.org>") ~= nil then error("RCPT failed") end
  if mt.rcptto(conn, "<carol@example.org>") ~= nil then error("second RCPT failed") end
  if mt.header(conn, "Subject", "miltertest") ~= nil then error("header failed") end
  if mt.header(conn, "X-Virus-Status", "Clean") ~= nil then error("header failed") end
  if mt.eoh(conn) ~= nil then error("EOH failed") end
  if mt.bodystring(conn, body) ~= nil then error("body failed") end
  if mt.eom(conn) ~= nil then error("EOM failed") end
end

local function clean()
  message("nothing to see here\r\n")
  expect("EOM", SMFIR_ACCEPT)
  if not mt.eom_check(conn, MT_HDRADD, "X-Virus-Status") then error("no X-Virus-Status was added") end
  if not mt.eom_check(conn, MT_HDRADD, "X-Virus-Scanned") then error("no X-Virus-Scanned was added") end
  if not mt.eom_check(conn, MT_HDRDELETE, "X-Virus-Status") then error("the sender's header was not deleted") end
end

clean()
message(virus .. "\r\n")
expect("EOM", SMFIR_REPLYCODE)
if not mt.eom_check(conn, MT_SMTPREPLY, "554", "5.7.1", "virus " .. name .. " detected by ClamAV - http://www.clamav.net") then
  error("the virus is refused with another text")
end
clean()
mt.disconnect(conn)
