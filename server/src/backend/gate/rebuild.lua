-- KEYS[1]: the gate. ARGV: step, epoch, and what the step has. Answers 1 when the step is done, 0 when the rebuild was superseded.
local gate, step, epoch = KEYS[1], ARGV[1], tonumber(ARGV[2])
local head = redis.call('HMGET', gate, 'state', 'server', 'epoch', 'highest', 'loaded', 'version')
local here = server()
local known = tonumber(head[3] or '-1')

if step == 'begin' then
  if known > epoch then return 0 end
  if known == epoch then
    -- The same step again; never once the gate is open, which would forget what it has given since.
    return (head[1] == 'building' and head[2] == here) and 1 or 0
  end
  redis.call('UNLINK', gate)
  redis.call('HSET', gate, 'state', 'building', 'server', here, 'epoch', ARGV[2], 'version', '-1',
    'highest', '0', 'free', '0', 'ranges', '0', 'kept', '0', 'loaded', '0')
  return 1
end

if known ~= epoch or head[2] ~= here then return 0 end
if step == 'open' and head[1] == 'open' then return 1 end
if head[1] ~= 'building' then return 0 end

if step == 'open' then
  if tonumber(head[5]) ~= tonumber(ARGV[3]) then return 0 end
  if tonumber(ARGV[4]) > tonumber(head[6]) then
    redis.call('HSET', gate, 'version', ARGV[4], 'total', ARGV[5], 'limit', ARGV[6],
      'start', ARGV[7], 'end', ARGV[8], 'sale', ARGV[9])
  end
  redis.call('HSET', gate, 'state', 'open')
  keep(gate)
  return 1
end

if step == 'taken_back' then
  for at = 3, #ARGV do lack(gate, ARGV[at]) end
  return 1
end

-- Accepted places: member, token, place, ordinal of each, in ascending order of the place.
local highest, loaded, kept = tonumber(head[4]), tonumber(head[5]), 0
for at = 3, #ARGV, 4 do
  local field, token, place = 'm' .. ARGV[at], ARGV[at + 1], tonumber(ARGV[at + 2])
  -- A place below has come before: the same step again.
  if place > highest then
    if redis.call('HEXISTS', gate, 'r' .. token) == 1 then
      push_free(gate, highest + 1, place)
    else
      if place > highest + 1 then push_free(gate, highest + 1, place - 1) end
      local mine = redis.call('HGET', gate, field) or ''
      redis.call('HSET', gate, field, mine .. string.format('%d:%d:%s:1;', tonumber(ARGV[at + 3]), place, token))
      kept = kept + 1
    end
    highest = place
    loaded = loaded + 1
  end
end
redis.call('HSET', gate, 'highest', string.format('%d', highest), 'loaded', string.format('%d', loaded))
redis.call('HINCRBY', gate, 'kept', kept)
return 1
