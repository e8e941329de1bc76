-- KEYS: the things. ARGV: holder.
for at = 1, #KEYS do
  if string.match(redis.call('GET', KEYS[at]) or '', '(%x+):') == ARGV[1] then redis.call('DEL', KEYS[at]) end
end
return 1
