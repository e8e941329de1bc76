-- KEYS[1]: the gate. ARGV: member, token and outcome of each settlement; a number is the place that the token keeps.
local gate = KEYS[1]
local head = redis.call('HMGET', gate, 'state', 'server')
if not head[1] or head[2] ~= server() then return 0 end

for at = 1, #ARGV, 3 do
  local field, token, outcome = 'm' .. ARGV[at], ARGV[at + 1], ARGV[at + 2]
  local mine, found = places_of(redis.call('HGET', gate, field)), nil
  local place, is_free = tonumber(outcome), outcome == 'released' or outcome == 'taken_back'
  -- The request has a row, which is all that knows of it.
  if outcome == 'taken_back' then lack(gate, ARGV[at]) end
  for index, it in ipairs(mine) do
    if it.place == place then it.token = token end
  end
  for index, it in ipairs(mine) do
    if it.token == token then
      found = index
      break
    end
  end
  if not found then
    -- It was built again before it could find the row.
    if outcome == 'kept' or place then lack(gate, ARGV[at]) end
    -- A rebuild may still come to the row of what is given back.
    if head[1] == 'building' and is_free then redis.call('HSET', gate, 'r' .. token, '1') end
  elseif outcome == 'kept' or place then
    if mine[found].kept == '0' then redis.call('HINCRBY', gate, 'kept', 1) end
    mine[found].kept = '1'
    redis.call('HSET', gate, field, text_of(mine))
  else
    local it = table.remove(mine, found)
    if #mine == 0 then redis.call('HDEL', gate, field) else redis.call('HSET', gate, field, text_of(mine)) end
    if it.kept == '1' then redis.call('HINCRBY', gate, 'kept', -1) end
    if is_free then push_free(gate, it.place, it.place) end
  end
end
return 1
