-- Answers how many wait, and how many are in. Those whose time is over and who are not forgotten yet are left out.
tidy(1000)
local silent = redis.call('ZCOUNT', seen, '-inf', string.format('%d', now - patience))
local present = redis.call('ZCOUNT', admitted, '(' .. string.format('%d', now), '+inf')
return { redis.call('ZCARD', waiting) - silent, present }
