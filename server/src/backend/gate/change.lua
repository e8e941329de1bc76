-- KEYS[1]: the gate. ARGV: version, total, limit, start, end, sale. Answers -1 when the gate is closed, 0 when these terms or
-- newer ones are in force, and the highest place that was given when the total is below it.
local gate = KEYS[1]
local head = redis.call('HMGET', gate, 'state', 'server', 'version', 'highest')
if not head[1] or head[2] ~= server() then return -1 end
local done = head[1] == 'building' and -1 or 0
if tonumber(ARGV[1]) <= tonumber(head[3]) then return done end
local total, highest = tonumber(ARGV[2]), tonumber(head[4])
if head[1] == 'open' and total >= 0 and total < highest then return highest end
redis.call('HSET', gate, 'version', ARGV[1], 'total', ARGV[2], 'limit', ARGV[3],
  'start', ARGV[4], 'end', ARGV[5], 'sale', ARGV[6])
keep(gate)
-- Nobody is let in before a rebuild has come to its end, but what was said meanwhile counts.
return done
