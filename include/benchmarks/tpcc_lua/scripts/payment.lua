-- Payment (clause 2.5): 15 in 100 are of a customer of another warehouse.
local random = sysbench.rand.uniform

return function(db, own)
   local common = own.common
   local w, d = common.warehouse(own), common.district()
   local cw, cd = w, d
   if random(1, 100) <= 15 then cw, cd = common.other(own, w), common.district() end
   local amount = random(100, 500000) / 100
   db:run("BEGIN")
   db:run("UPDATE warehouse SET w_ytd = w_ytd + ? WHERE w_id = ?", amount, w)
   local w_name = db:row("SELECT w_name, w_street_1, w_street_2, w_city, w_state, w_zip FROM warehouse WHERE w_id = ?", w)
   db:run("UPDATE district SET d_ytd = d_ytd + ? WHERE d_w_id = ? AND d_id = ?", amount, w, d)
   local d_name = db:row("SELECT d_name, d_street_1, d_street_2, d_city, d_state, d_zip FROM district " ..
                         "WHERE d_w_id = ? AND d_id = ?", w, d)
   local c = common.customer_meant(db, cw, cd)
   db:row("SELECT c_first, c_middle, c_last, c_street_1, c_street_2, c_city, c_state, c_zip, c_phone, c_since, " ..
          "c_credit, c_credit_lim, c_discount, c_balance FROM customer WHERE c_w_id = ? AND c_d_id = ? AND c_id = ? " ..
          "FOR UPDATE", cw, cd, c)
   db:run("UPDATE customer SET c_balance = c_balance - ?, c_ytd_payment = c_ytd_payment + ?, " ..
          "c_payment_cnt = c_payment_cnt + 1, c_data = if(c_credit = 'BC', " ..
          "left(concat_ws(' ', c_id, c_d_id, c_w_id, ?, ?, ?, c_data), 500), c_data) " ..
          "WHERE c_w_id = ? AND c_d_id = ? AND c_id = ?", amount, amount, d, w, amount, cw, cd, c)
   db:run("INSERT INTO history VALUES (?, ?, ?, ?, ?, now(), ?, ?)", c, cd, cw, d, w, amount,
          w_name .. "    " .. d_name)
   db:run("COMMIT")
end
