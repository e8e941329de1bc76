-- ARGV[3]: the member. Answers 1, or 0 when they were neither waiting nor in.
tidy(100)
local stands = standing(ARGV[3])
redis.call('ZREM', waiting, ARGV[3])
redis.call('ZREM', seen, ARGV[3])
redis.call('ZREM', admitted, ARGV[3])
return stands[1] ~= 0 and 1 or 0
