-- Delivery (clause 2.7): the oldest new order of each of a warehouse's ten districts, delivered in one transaction.
return function(db, own)
   local w, carrier = own.common.warehouse(own), sysbench.rand.uniform(1, 10)
   db:run("BEGIN")
   for d = 1, 10 do
      -- Another delivery of the warehouse waits here, in the order of the districts, and then finds the next orders.
      local o = tonumber((db:row("SELECT no_o_id FROM new_order WHERE no_w_id = ? AND no_d_id = ? " ..
                                 "ORDER BY no_o_id LIMIT 1 FOR UPDATE", w, d)))
      if o then
         db:run("DELETE FROM new_order WHERE no_w_id = ? AND no_d_id = ? AND no_o_id = ?", w, d, o)
         local c = tonumber((db:row("SELECT o_c_id FROM orders WHERE o_w_id = ? AND o_d_id = ? AND o_id = ?", w, d, o)))
         db:run("UPDATE orders SET o_carrier_id = ? WHERE o_w_id = ? AND o_d_id = ? AND o_id = ?", carrier, w, d, o)
         db:run("UPDATE order_line SET ol_delivery_d = now() WHERE ol_w_id = ? AND ol_d_id = ? AND ol_o_id = ?", w, d, o)
         local total = tonumber((db:row("SELECT sum(ol_amount) FROM order_line " ..
                                        "WHERE ol_w_id = ? AND ol_d_id = ? AND ol_o_id = ?", w, d, o)))
         db:run("UPDATE customer SET c_balance = c_balance + ?, c_delivery_cnt = c_delivery_cnt + 1 " ..
                "WHERE c_w_id = ? AND c_d_id = ? AND c_id = ?", total, w, d, c)
      end
   end
   db:run("COMMIT")
end
