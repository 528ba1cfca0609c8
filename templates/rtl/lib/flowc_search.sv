// Thresholds found by halving, a comparator per step: the outcomes so far choose the next key. 2 * STEPS cycles, and one for each step
// from FIRST_LATE on, behind whose memory stands a register.
//
// The number of keys reached, the path, gives BASE + STEP * path or, with TABLE, an entry of a memory. Every lane has memories of its
// own: FILE, the lane's number in four digits, "_", the step, ".hex": for step k the keys [ROWS << k], addressed by row and path, from
// step FIRST_BLOCK on in block RAM; likewise for step STEPS the results. Step 0 has one key per row and lane, in the
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
    parameter int FIRST_BLOCK = 99,
    parameter int FIRST_LATE = FIRST_BLOCK,
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
  logic [LANES*BITS-1:0] keys;
  flowc_rows #(.WIDTH(LANES * BITS), .ROWS(ROWS), .FILE({FILE, "first.hex"})) first (
      .clk, .rst, .step(enable && valid), .row(keys));
  // Step k compares in cycle AT[k]. Its outcome lies in a register before the memory of the next key is read with it; behind a late
  // memory lies another register.
  typedef bit [STEPS:0][31:0] times_t;
  function automatic times_t times();
    times[0] = 0;
    for (int k = 1; k <= STEPS; k++) times[k] = times[k-1] + (k < FIRST_LATE || (k == STEPS && !TABLE) ? 2 : 3);
  endfunction
  localparam times_t AT = times();
  localparam int CYCLES = int'(AT[STEPS]);
  logic [RW-1:0] row[CYCLES];
  logic last;
  flowc_count #(.COUNT(ROWS)) rows (.clk, .rst, .step(enable && valid), .value(row[0]), .last);
  wire unused = &{1'b0, last, row[CYCLES-1]};
  logic [CYCLES-1:0] valids;
  assign results_valid = valids[CYCLES-1];
  always_ff @(posedge clk)
    if (rst) valids <= '0;
    else if (enable) valids <= {valids[CYCLES-2:0], valid};
  for (genvar t = 1; t < CYCLES; t++) begin : g_row
    always_ff @(posedge clk) if (enable) row[t] <= row[t-1];
  end

  for (genvar l = 0; l < LANES; l++) begin : g_lane
    for (genvar k = 0; k < STEPS; k++) begin : g_step
      logic signed [VALUE-1:0] value;
      logic signed [BITS-1:0] key;
      logic [k:0] path;  // outcomes, in the cycle after the comparison
      logic reached;
      flowc_at_least #(.A_BITS(VALUE), .B_BITS(BITS)) compare (.a(value), .b(key), .found(reached));
      if (k == 0) begin : g_first
        assign value = values[l*VALUE+:VALUE];
        assign key = keys[l*BITS+:BITS];
        always_ff @(posedge clk) if (enable) path <= reached;
      end else begin : g_next
        localparam int WAIT = int'(AT[k] - AT[k-1]);
        logic signed [VALUE-1:0] waiting[WAIT];
        logic [k-1:0] earlier[WAIT];
        logic [(ROWS << k > 1 ? $clog2(ROWS << k) : 1)-1:0] at;
        logic signed [BITS-1:0] word;
        assign earlier[0] = g_step[k-1].path;
        assign at = $bits(at)'({row[AT[k-1]+1], earlier[0]});
        assign value = waiting[WAIT-1];
        flowc_rom #(
            .WIDTH(BITS), .DEPTH(ROWS << k), .STYLE(k < FIRST_BLOCK ? "logic" : "block"),
            .FILE({FILE, 8'(48 + l / 1000), 8'(48 + l / 100 % 10), 8'(48 + l / 10 % 10), 8'(48 + l % 10), "_", 8'(48 + k), ".hex"})
        ) memory (.clk, .read(enable), .read_at(at), .out_data(word));
        if (WAIT == 2) begin : g_now
          assign key = word;
        end else begin : g_late
          always_ff @(posedge clk) if (enable) key <= word;
        end
        always_ff @(posedge clk)
          if (enable) begin
            waiting[0] <= g_step[k-1].value;
            for (int i = 1; i < WAIT; i++) waiting[i] <= waiting[i-1];
            for (int i = 1; i < WAIT; i++) earlier[i] <= earlier[i-1];
            path <= {earlier[WAIT-1], reached};
          end
      end
    end
    logic [STEPS-1:0] found;
    logic [OUT_BITS-1:0] result;
    assign found = g_step[STEPS-1].path;
    if (TABLE) begin : g_table
      logic [OUT_BITS-1:0] entry;
      logic [$clog2(ROWS << STEPS)-1:0] at;
      assign at = $bits(at)'({row[AT[STEPS-1]+1], found});
      flowc_rom #(
          .WIDTH(OUT_BITS), .DEPTH(ROWS << STEPS), .STYLE(STEPS < FIRST_BLOCK ? "logic" : "block"),
          .FILE({FILE, 8'(48 + l / 1000), 8'(48 + l / 100 % 10), 8'(48 + l / 10 % 10), 8'(48 + l % 10), "_", 8'(48 + STEPS), ".hex"})
      ) memory (.clk, .read(enable), .read_at(at), .out_data(entry));
      if (STEPS < FIRST_LATE) begin : g_now
        assign result = entry;
      end else begin : g_late
        always_ff @(posedge clk) if (enable) result <= entry;
      end
    end else if (OUT_BIPOLAR) begin : g_bipolar
      always_ff @(posedge clk) if (enable) result <= found[0];
    end else begin : g_count
      always_ff @(posedge clk) if (enable) result <= OUT_BITS'(BASE + STEP * int'(found));
    end
    assign results[l*OUT_BITS+:OUT_BITS] = result;
  end
endmodule
