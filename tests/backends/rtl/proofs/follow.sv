// What a stream must do that only passes words on, from its two sides alone: IN_WORDS words come with a beat, OUT_WORDS leave
// with one.
//
// One word, any word, is followed: `pick` may be set in any cycle, and the word of number `which` in the beat that comes then
// must be the one that leaves after all words before it. Since the word is arbitrary, what holds for it holds for every word. An
// output is a fault; a proof shows that none is ever set.
//   invented   a beat leaves that has not come
//   crowded    more words than MOST are inside
//   wrong      the picked word leaves changed, or another one in its place: words were lost, doubled or reordered
//   withdrawn  a beat that was valid is taken back before its taking
//   altered    it changes before its taking
//   stuck      words enough for a beat are inside, and for more than PATIENCE cycles in a row none is valid
module follow #(
    parameter int BITS = 2,
    parameter int IN_WORDS = 1,
    parameter int OUT_WORDS = 1,
    parameter int MOST = 4,
    parameter int PATIENCE = 4,
    localparam int NUMBER = IN_WORDS > 1 ? $clog2(IN_WORDS) : 1,
    localparam int COUNT = $clog2(MOST + IN_WORDS + OUT_WORDS + 1) + 1,
    localparam int IDLE = $clog2(PATIENCE + 2)
) (
    input logic clk,
    input logic rst,
    input logic pick,
    input logic [NUMBER-1:0] which,
    input logic [IN_WORDS*BITS-1:0] in_data,
    input logic in_valid,
    input logic in_ready,
    input logic [OUT_WORDS*BITS-1:0] out_data,
    input logic out_valid,
    input logic out_ready,
    output logic invented,
    output logic crowded,
    output logic wrong,
    output logic withdrawn,
    output logic altered,
    output logic stuck
);
  wire come = in_valid && in_ready;
  wire leave = out_valid && out_ready;

  logic [COUNT-1:0] inside_;  // words
  wire [COUNT-1:0] rest = inside_ - (leave ? COUNT'(OUT_WORDS) : '0);
  always_ff @(posedge clk)
    if (rst) inside_ <= '0;
    else inside_ <= rest + (come ? COUNT'(IN_WORDS) : '0);

  logic following;
  logic [BITS-1:0] word;  // the picked one
  logic [COUNT-1:0] ahead;  // words inside that came before it
  wire [NUMBER-1:0] number = 32'(which) < IN_WORDS ? which : '0;
  wire due = following && ahead < COUNT'(OUT_WORDS);
  always_ff @(posedge clk)
    if (rst) following <= 1'b0;
    else if (!following && come && pick) begin
      following <= 1'b1;
      word <= in_data[number*BITS+:BITS];
      ahead <= rest + COUNT'(number);
    end else if (following && leave) begin
      following <= !due;
      ahead <= ahead - COUNT'(OUT_WORDS);
    end

  logic waits;
  logic [OUT_WORDS*BITS-1:0] shown;
  logic [IDLE-1:0] idle;
  always_ff @(posedge clk)
    if (rst) begin
      waits <= 1'b0;
      idle <= '0;
    end else begin
      waits <= out_valid && !out_ready;
      if (out_valid || inside_ < COUNT'(OUT_WORDS)) idle <= '0;
      else if (idle <= IDLE'(PATIENCE)) idle <= idle + 1'b1;
    end
  always_ff @(posedge clk) shown <= out_data;

  assign invented = !rst && out_valid && inside_ < COUNT'(OUT_WORDS);
  assign crowded = !rst && inside_ > COUNT'(MOST);
  assign wrong = !rst && out_valid && due && out_data[ahead*BITS+:BITS] != word;
  assign withdrawn = !rst && waits && !out_valid;
  assign altered = !rst && waits && out_data != shown;
  assign stuck = !rst && idle > IDLE'(PATIENCE);
endmodule
