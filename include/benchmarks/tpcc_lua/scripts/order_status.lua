-- Order-Status (clause 2.6): a customer's last order and its lines.
return function(db, own)
   local common = own.common
   local w, d = common.warehouse(own), common.district()
   db:run("BEGIN")
   local c = common.customer_meant(db, w, d)
   db:row("SELECT c_balance, c_first, c_middle, c_last FROM customer WHERE c_w_id = ? AND c_d_id = ? AND c_id = ?", w, d, c)
   local o = db:row("SELECT o_id, o_entry_d, o_carrier_id FROM orders WHERE o_w_id = ? AND o_d_id = ? AND o_c_id = ? " ..
                    "ORDER BY o_id DESC LIMIT 1", w, d, c)
   db:run("SELECT ol_i_id, ol_supply_w_id, ol_quantity, ol_amount, ol_delivery_d FROM order_line " ..
          "WHERE ol_w_id = ? AND ol_d_id = ? AND ol_o_id = ?", w, d, tonumber(o))
   db:run("COMMIT")
end
