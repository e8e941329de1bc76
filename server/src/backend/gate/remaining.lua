-- KEYS[1]: the gate. Answers epoch, version, total, highest, free and kept; nothing when the gate is closed.
local head = redis.call('HMGET', KEYS[1], 'state', 'server', 'epoch', 'version', 'total', 'highest', 'free', 'kept')
if head[1] ~= 'open' or head[2] ~= server() then return {} end
local numbers = {}
for at = 3, 8 do numbers[#numbers + 1] = tonumber(head[at]) end
return numbers
