-- Tables, strings, closures and numbers in Lua.
local work = tonumber(arg[1])
local sum, words = 0, {}
for round = 1, work do
  local list = {}
  for i = 1, 2000 do list[i] = (i * 7919 + round) % 1009 end
  table.sort(list)
  local counts = {}
  for _, v in ipairs(list) do counts["k" .. v] = (counts["k" .. v] or 0) + 1 end
  for k, v in pairs(counts) do sum = (sum + #k * v) % 1000003 end
  local function fib(n) if n < 2 then return n end return fib(n - 1) + fib(n - 2) end
  sum = (sum + fib(16)) % 1000003
  words[#words + 1] = string.format("%d:%s", round, ("x"):rep(round % 5))
  local x = 0.5
  for i = 1, 3000 do x = x * 3.7 * (1 - x) end
  sum = (sum + math.floor(x * 1000)) % 1000003
end
print(sum, #table.concat(words), (table.concat(words, ","):gsub("x+", "y")):len())
