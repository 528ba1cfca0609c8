// The channel of the maximum at every position, the first of equals; PE channels per beat, BLOCKS beats a position.
module flowc_argmax #(
    parameter int PE = 1,
    parameter int BLOCKS = 1,
    parameter int X_BITS = 4,
    parameter int X_KIND = 0,
    parameter int OUT_BITS = 4,
    parameter int DELAY = 0
) (
    input logic clk,
    input logic rst,
    input logic [PE*X_BITS-1:0] in_data,
    input logic in_valid,
    output logic in_ready,
    output logic [OUT_BITS-1:0] out_data,
    output logic out_valid,
    input logic out_ready
);
  localparam int VALUE = X_KIND == 1 ? X_BITS : X_BITS + 1;
  localparam int BW = BLOCKS > 1 ? $clog2(BLOCKS) : 1;
  logic enable, last;
  logic [BW-1:0] block;
  wire fire = enable && in_valid;
  assign in_ready = enable;
  flowc_count #(.COUNT(BLOCKS)) blocks (.clk, .rst, .step(fire), .value(block), .last);

  // The best of a beat, then the best so far
  logic signed [VALUE-1:0] values[PE];
  for (genvar p = 0; p < PE; p++) begin : g_lane
    flowc_value #(.BITS(X_BITS), .KIND(X_KIND)) decode (.element(in_data[p*X_BITS+:X_BITS]), .value(values[p]));
  end
  logic signed [VALUE-1:0] most, beat_best, best;
  logic [OUT_BITS-1:0] where, beat_index, index;
  logic beat_valid, beat_first, beat_last, index_valid;
  always_comb begin
    most = values[0];
    where = OUT_BITS'(32'(block) * PE);
    for (int p = 1; p < PE; p++)
      if (values[p] > most) begin
        most = values[p];
        where = OUT_BITS'(32'(block) * PE + p);
      end
  end
  always_ff @(posedge clk)
    if (enable) begin
      beat_best <= most;
      beat_index <= where;
      beat_first <= block == '0;
      beat_last <= last;
      if (beat_valid && (beat_first || beat_best > best)) begin
        best <= beat_best;
        index <= beat_index;
      end
    end
  always_ff @(posedge clk)
    if (rst) {index_valid, beat_valid} <= '0;
    else if (enable) {index_valid, beat_valid} <= {beat_valid && beat_last, fire};
  flowc_emit #(.WIDTH(OUT_BITS), .DELAY(DELAY)) emit (
      .clk, .rst, .data(index), .valid(index_valid), .enable, .out_data, .out_valid, .out_ready);
endmodule
