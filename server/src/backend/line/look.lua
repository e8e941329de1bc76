-- ARGV[3]: the member.
tidy(100)
return standing(ARGV[3])
