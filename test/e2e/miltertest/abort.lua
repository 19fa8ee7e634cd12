-- ABORT in every state, and the next message on the same connexion is judged on its own.
-- Globals: socket, virus
local conn = mt.connect(socket)
if conn == nil then error("no connexion to " .. socket) end
if mt.negotiate(conn, nil, nil, nil) ~= nil then error("negotiation failed") end
if mt.conninfo(conn, "mx.example.net", "203.0.113.7") ~= nil then error("CONNECT failed") end

local steps = {
  function() return mt.helo(conn, "mx.example.net") end,
  function() return mt.mailfrom(conn, "<alice@example.net>") end,
  function() return mt.rcptto(conn, "<bob@example.org>") end,
  function() return mt.header(conn, "Subject", "to be aborted") end,
  function() return mt.eoh(conn) end,
  function() return mt.bodystring(conn, virus .. "\r\n") end,
}

local function verdict(body)
  for at = 2, 5 do
    if steps[at]() ~= nil then error("step " .. at .. " failed") end
  end
  if mt.bodystring(conn, body) ~= nil then error("body failed") end
  if mt.eom(conn) ~= nil then error("EOM failed") end
  return mt.getreply(conn)
end

mt.abort(conn)
for last = 1, #steps do
  for at = (last == 1) and 1 or 2, last do
    if steps[at]() ~= nil then error("step " .. at .. " of " .. last .. " failed") end
  end
  mt.abort(conn)
  if verdict("clean again\r\n") ~= SMFIR_ACCEPT then error("not accepted after an abort at step " .. last) end
  mt.abort(conn)
end
if verdict(virus .. "\r\n") ~= SMFIR_REPLYCODE then error("the virus was not found") end
mt.disconnect(conn)
