-- ARGV[3]: the member.
tidy(100)
local stands = standing(ARGV[3])
if stands[1] ~= 0 then return stands end
-- Time keeps the order even where the last ticket was forgotten.
local ticket = math.max(tonumber(redis.call('GET', tickets) or '0') + 1, now)
redis.call('SET', tickets, string.format('%d', ticket), 'PX', string.format('%d', math.ceil(patience / 1000) + HOUR))
redis.call('ZADD', waiting, string.format('%d', ticket), ARGV[3])
redis.call('ZADD', seen, string.format('%d', now), ARGV[3])
return standing(ARGV[3])
