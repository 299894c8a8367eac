-- New-Order (clause 2.4): an order of 5 to 15 lines. One line in a hundred is supplied by another warehouse; one order
-- in a hundred ends with an item that does not exist, and is rolled back.
local random = sysbench.rand.uniform

local function drawn_lines(own, w)
   local common, lines, mistake = own.common, {}, random(1, 100) == 1
   for number = 1, random(5, 15) do
      local supply = random(1, 100) == 1 and common.other(own, w) or w
      lines[number] = {item = common.item(), supply = supply, quantity = random(1, 10)}
   end
   if mistake then lines[#lines].item = 0 end
   return lines
end

-- Stock is taken in the order of its key, so that no two orders wait for each other in a ring.
local function in_order_of_stock(lines)
   local sorted = {}
   for number, line in ipairs(lines) do line.number = number; sorted[number] = line end
   table.sort(sorted, function(a, b)
      if a.supply ~= b.supply then return a.supply < b.supply end
      if a.item ~= b.item then return a.item < b.item end
      return a.number < b.number
   end)
   return sorted
end

local function take(db, w, d, line, stock)
   local quantity = tonumber(stock.quantity) - line.quantity
   if quantity < 10 then quantity = quantity + 91 end
   stock.quantity = quantity
   db:run("UPDATE stock SET s_quantity = ?, s_ytd = s_ytd + ?, s_order_cnt = s_order_cnt + 1, " ..
          "s_remote_cnt = s_remote_cnt + ? WHERE s_w_id = ? AND s_i_id = ?",
          quantity, line.quantity, line.supply == w and 0 or 1, line.supply, line.item)
end

return function(db, own)
   local common = own.common
   local w, d, c = common.warehouse(own), common.district(), common.customer()
   local lines, all_local = drawn_lines(own, w), 1
   for _, line in ipairs(lines) do if line.supply ~= w then all_local = 0 end end
   db:run("BEGIN")
   db:row("SELECT w_tax, c_discount, c_last, c_credit FROM warehouse, customer " ..
          "WHERE w_id = ? AND c_w_id = w_id AND c_d_id = ? AND c_id = ?", w, d, c)
   local o = tonumber((db:row("SELECT d_next_o_id, d_tax FROM district WHERE d_w_id = ? AND d_id = ? FOR UPDATE", w, d)))
   db:run("UPDATE district SET d_next_o_id = ? WHERE d_w_id = ? AND d_id = ?", o + 1, w, d)
   db:run("INSERT INTO orders VALUES (?, ?, ?, ?, now(), NULL, ?, ?)", o, d, w, c, #lines, all_local)
   db:run("INSERT INTO new_order VALUES (?, ?, ?)", o, d, w)
   for _, line in ipairs(in_order_of_stock(lines)) do
      local price = db:row("SELECT i_price FROM item WHERE i_id = ?", line.item)
      if price == nil then
         db:run("ROLLBACK")
         return
      end
      local quantity, info = db:row(string.format("SELECT s_quantity, s_dist_%02d FROM stock " ..
                                                  "WHERE s_w_id = ? AND s_i_id = ? FOR UPDATE", d),
                                    line.supply, line.item)
      take(db, w, d, line, {quantity = quantity})
      db:run("INSERT INTO order_line VALUES (?, ?, ?, ?, ?, ?, NULL, ?, ?, ?)", o, d, w, line.number, line.item,
             line.supply, line.quantity, line.quantity * tonumber(price), info)
   end
   db:run("COMMIT")
end
