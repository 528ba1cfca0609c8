// Thresholds found by halving, a comparator per step: the outcomes so far choose the next key. STEPS + 1 cycles.
//
// The number of keys reached, the path, gives BASE + STEP * path or, with TABLE, an entry of a memory. Every lane has memories of its
// own: FILE, the lane's number in three digits, "_", the step, ".hex": for step k the keys [ROWS << k], addressed by row and path,
// the last outcome straight from its comparator; likewise for step STEPS the results. Step 0 has one key per row and lane, in the
// file of the name FILE, "first.hex".
module flowc_search #(
    parameter int LANES = 1,
    parameter int ROWS = 1,
    parameter int VALUE = 8,
    parameter int OUT_BITS = 2,
    parameter bit OUT_BIPOLAR = 0,
    parameter FILE = "",
    parameter int STEPS = 2,
    parameter int BITS = 8,
    parameter bit TABLE = 0,
    parameter int BASE = 0,
    parameter int STEP = 1
) (
    input logic clk,
    input logic rst,
    input logic enable,
    input logic [LANES*VALUE-1:0] values,
    input logic valid,
    output logic [LANES*OUT_BITS-1:0] results,
    output logic results_valid
);
  localparam int RW = ROWS > 1 ? $clog2(ROWS) : 1;
  localparam int WIDE = VALUE > BITS ? VALUE : BITS;
  logic [LANES*BITS-1:0] keys;
  flowc_rows #(.WIDTH(LANES * BITS), .ROWS(ROWS), .FILE({FILE, "first.hex"})) first (
      .clk, .rst, .step(enable && valid), .row(keys));
  logic [RW-1:0] row[STEPS];
  logic last;
  flowc_count #(.COUNT(ROWS)) rows (.clk, .rst, .step(enable && valid), .value(row[0]), .last);
  wire unused = &{1'b0, last, row[STEPS-1]};
  logic [STEPS:0] valids;
  assign results_valid = valids[STEPS];
  always_ff @(posedge clk)
    if (rst) valids <= '0;
    else if (enable) valids <= {valids[STEPS-1:0], valid};
  for (genvar k = 1; k < STEPS; k++) begin : g_row
    always_ff @(posedge clk) if (enable) row[k] <= row[k-1];
  end

  for (genvar l = 0; l < LANES; l++) begin : g_lane
    for (genvar k = 0; k < STEPS; k++) begin : g_step
      logic signed [VALUE-1:0] value;
      logic [(k > 0 ? k : 1)-1:0] path;  // outcomes so far
      logic signed [BITS-1:0] key;
      wire reached = WIDE'(value) >= WIDE'(key);
      if (k == 0) begin : g_first
        assign value = values[l*VALUE+:VALUE];
        assign path = '0;
        assign key = keys[l*BITS+:BITS];
        wire unused_path = &{1'b0, path};
      end else begin : g_next
        logic [(ROWS << k > 1 ? $clog2(ROWS << k) : 1)-1:0] at;
        if (k == 1) begin : g_second
          assign at = $bits(at)'({row[0], g_step[0].reached});
          always_ff @(posedge clk) if (enable) path <= g_step[0].reached;
        end else begin : g_later
          assign at = $bits(at)'({row[k-1], g_step[k-1].path, g_step[k-1].reached});
          always_ff @(posedge clk) if (enable) path <= {g_step[k-1].path, g_step[k-1].reached};
        end
        flowc_rom #(
            .WIDTH(BITS), .DEPTH(ROWS << k), .STYLE((ROWS << k) * BITS > 8192 ? "block" : "logic"),
            .FILE({FILE, 8'(48 + l / 100), 8'(48 + l / 10 % 10), 8'(48 + l % 10), "_", 8'(48 + k), ".hex"})
        ) memory (.clk, .read(enable), .read_at(at), .out_data(key));
        always_ff @(posedge clk) if (enable) value <= g_step[k-1].value;
      end
    end
    logic [STEPS-1:0] now, found;
    if (STEPS == 1) begin : g_one
      assign now = g_step[0].reached;
    end else begin : g_many
      assign now = {g_step[STEPS-1].path, g_step[STEPS-1].reached};
    end
    always_ff @(posedge clk) if (enable) found <= now;
    logic [OUT_BITS-1:0] result;
    if (TABLE) begin : g_table
      logic [OUT_BITS-1:0] entry;
      logic [$clog2(ROWS << STEPS)-1:0] at;
      assign at = $bits(at)'({row[STEPS-1], now});
      flowc_rom #(
          .WIDTH(OUT_BITS), .DEPTH(ROWS << STEPS), .STYLE((ROWS << STEPS) * OUT_BITS > 8192 ? "block" : "logic"),
          .FILE({FILE, 8'(48 + l / 100), 8'(48 + l / 10 % 10), 8'(48 + l % 10), "_", 8'(48 + STEPS), ".hex"})
      ) memory (.clk, .read(enable), .read_at(at), .out_data(entry));
      always_ff @(posedge clk) if (enable) result <= entry;
      wire unused_found = &{1'b0, found};
    end else if (OUT_BIPOLAR) begin : g_bipolar
      always_ff @(posedge clk) if (enable) result <= found[0];
    end else begin : g_count
      always_ff @(posedge clk) if (enable) result <= OUT_BITS'(BASE + STEP * int'(found));
    end
    assign results[l*OUT_BITS+:OUT_BITS] = result;
  end
endmodule
